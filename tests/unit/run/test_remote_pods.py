"""What pods' conditions and events say: why one waits, how one died."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.run.remote import pods


def pod(**status: Any) -> dict[str, Any]:
    spec = {"containers": [{"name": "main", "resources": {"limits": {"memory": "1Gi"}}}]}
    return {"metadata": {"name": "p"}, "spec": spec, "status": status}


def waiting(reason: str, message: str = "") -> dict[str, Any]:
    state = {"waiting": {"reason": reason, "message": message}}
    return pod(phase="Pending", containerStatuses=[{"name": "main", "image": "i", "state": state}])


def test_a_pod_that_no_node_takes_says_what_the_scheduler_says() -> None:
    said = (
        "0/3 nodes are available: 3 Insufficient nvidia.com/gpu. no new claims to deallocate, preemption: 0/3 nodes "
        "are available: 3 No preemption victims found for incoming pod."
    )
    found = pods.why_waiting(
        pod(phase="Pending", conditions=[{"type": "PodScheduled", "status": "False", "message": said}])
    )
    assert found is not None
    assert found[0] == "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."


@pytest.mark.parametrize(
    "reason", ["ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError", "CrashLoopBackOff", "InvalidImageName"]
)
def test_a_container_that_cannot_start_is_named_with_its_message(reason: str) -> None:
    found = pods.why_waiting(waiting(reason, 'secret "kuberacer-store"\nnot found'))
    assert found is not None
    assert found[0] == f'{reason}: secret "kuberacer-store" not found'
    assert pods.hopeless(waiting(reason)) == (reason == "InvalidImageName")


def test_a_pod_on_its_way_has_no_reason() -> None:
    assert pods.why_waiting(waiting("PodInitializing")) is None
    assert (
        pods.why_waiting(pod(phase="Running", containerStatuses=[{"name": "main", "state": {"running": {}}}])) is None
    )


def test_a_volume_that_cannot_be_mounted_is_known_by_its_event() -> None:
    events = [
        {"type": "Normal", "reason": "Scheduled", "message": "fine"},
        {"type": "Warning", "reason": "FailedMount", "message": "configmap x not found"},
    ]
    assert pods.why_waiting(waiting("ContainerCreating"), events) == ("FailedMount: configmap x not found", pods.START)


def test_a_pod_that_kueue_holds_back_says_so() -> None:
    held = pod(phase="Pending")
    held["spec"]["schedulingGates"] = [{"name": "kueue.x-k8s.io/admission"}]
    assert pods.why_waiting(held) == ("it is held back by kueue.x-k8s.io/admission", pods.GATED)


@pytest.mark.parametrize(
    ("status", "word"),
    [
        (
            {
                "containerStatuses": [
                    {"name": "main", "state": {"terminated": {"reason": "OOMKilled", "exitCode": 137}}}
                ]
            },
            "limit of 1Gi",
        ),
        ({"reason": "Evicted", "message": "The node was low on memory."}, "low on memory"),
        (
            {"conditions": [{"type": "DisruptionTarget", "status": "True", "message": "preempted by x"}]},
            "was evicted: preempted by x",
        ),
        ({"reason": "NodeLost"}, "NodeLost"),
    ],
)
def test_who_ended_a_pod_is_named(status: dict[str, Any], word: str) -> None:
    found = pods.why_died(pod(phase="Failed", **status))
    assert found is not None
    assert word in found[0]


def test_a_program_that_ended_by_itself_is_not_the_clusters_doing() -> None:
    ended = pod(
        phase="Failed",
        containerStatuses=[{"name": "main", "state": {"terminated": {"reason": "Error", "exitCode": 3}}}],
    )
    assert pods.why_died(ended) is None
    assert pods.exit_status(ended) == 3


@given(
    st.recursive(st.none() | st.booleans() | st.text(), lambda inner: st.dictionaries(st.text(), inner), max_leaves=5)
)
def test_a_pod_that_says_nothing_useful_is_no_error(extra: Any) -> None:
    odd = pod(phase="Pending", extra=extra, conditions=None, containerStatuses=[{"name": "main", "state": None}])
    assert pods.why_waiting(odd) is None
    assert pods.why_died(odd) is None
    assert not pods.container_started(odd)
    assert not pods.hopeless(odd)
