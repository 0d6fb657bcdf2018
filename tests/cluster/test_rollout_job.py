"""The rollout workers' Job on a real cluster: made, scaled, explained when it cannot run, gone with its trainer."""

import os
import time
import uuid
from collections.abc import Callable, Iterator

import pytest

client = pytest.importorskip("kubernetes.client")

from kuberacer.rollout.cluster_workers import ClusterWorkers, pod_template  # noqa: E402
from kuberacer.rollout.own_pod import OwnPod  # noqa: E402

RUN = "test of the job"
IMAGE = os.environ["CONFORMANCE_IMAGE"]  # of conftest.py


def until(holds: Callable[[], object], seconds: float = 60.0) -> None:
    """Poll until something is so."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(0.5)


@pytest.fixture
def trainer(kubeconfig: str) -> Iterator[OwnPod]:
    """A pod that stands in for the trainer's: the Job belongs to it, what runs in it does not matter here."""
    core, namespace = client.CoreV1Api(), f"kr-test-{uuid.uuid4().hex[:8]}"
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    core.create_namespace({"metadata": {"name": namespace, "labels": labels}})
    try:
        core.create_namespaced_service_account(namespace, {"metadata": {"name": "kuberacer-rollout"}})
        for name in ("kuberacer-redis", "kuberacer-store"):
            secret = {"metadata": {"name": name}, "stringData": {"KUBERACER_REDIS_PASSWORD": "x" * 20}}
            core.create_namespaced_secret(namespace, secret)
        template = pod_template(IMAGE, [], [])["spec"]
        template["containers"][0]["command"] = ["sleep", "600"]
        template["securityContext"]["runAsUser"] = 10001
        core.create_namespaced_pod(namespace, {"metadata": {"name": "trainer"}, "spec": template})
        until(lambda: core.read_namespaced_pod("trainer", namespace).status.pod_ip)
        pod = core.read_namespaced_pod("trainer", namespace)
        yield OwnPod("trainer", namespace, pod.metadata.uid, pod.status.pod_ip)
    finally:
        core.delete_namespace(namespace)


def test_a_job_is_made_scaled_explained_and_gone_with_its_trainer(trainer: OwnPod) -> None:
    core, batch = client.CoreV1Api(), client.BatchV1Api()
    workers = ClusterWorkers(RUN, IMAGE, trainer)
    workers.launch(2)
    workers.launch(2)  # the trainer's container was restarted in its pod
    job = batch.read_namespaced_job(workers.name, trainer.namespace)
    assert (job.spec.parallelism, job.spec.completions, job.spec.completion_mode) == (3, 3, "Indexed")
    assert job.metadata.labels["kuberacer.io/run"] == "test-of-the-job"
    workers.scale(1)
    job = batch.read_namespaced_job(workers.name, trainer.namespace)
    assert (job.spec.parallelism, job.spec.completions) == (2, 2)
    # This image has no rollout worker, or runs as root: what keeps it from running is what a stall must say.
    until(lambda: "Error" in workers.why_missing() or "CrashLoopBackOff" in workers.why_missing())
    assert workers.alive() == 0

    core.delete_namespaced_pod("trainer", trainer.namespace, grace_period_seconds=0)
    until(lambda: not batch.list_namespaced_job(trainer.namespace).items)
    until(lambda: not core.list_namespaced_service(trainer.namespace).items)
    until(lambda: not client.DiscoveryV1Api().list_namespaced_endpoint_slice(trainer.namespace).items)
    until(lambda: not core.list_namespaced_pod(trainer.namespace).items)


def test_workers_of_a_killed_trainer_end_when_the_next_one_launches(trainer: OwnPod) -> None:
    batch = client.BatchV1Api()
    killed = ClusterWorkers(RUN, IMAGE, OwnPod("trainer", trainer.namespace, trainer.uid, trainer.address))
    killed.launch(1)
    # Another pod's uid is another trainer; an owner that never was would be collected at once, so the same pod owns.
    following = ClusterWorkers(RUN, IMAGE, trainer)
    following.name = "rollout-of-the-next"
    following.launch(1)
    until(lambda: [job.metadata.name for job in batch.list_namespaced_job(trainer.namespace).items] == [following.name])
    other = ClusterWorkers("another run", IMAGE, trainer)
    other.name = "rollout-of-another-run"
    other.launch(1)
    assert len(batch.list_namespaced_job(trainer.namespace).items) == 2
    following.close()
    other.close()


def test_why_a_pod_waits_is_said(trainer: OwnPod) -> None:
    body = {
        "metadata": {"name": "kuberacer-rollout"},
        "data": {"KUBERACER_ROLLOUT_NODE_SELECTOR": '{"pool": "there-is-none"}'},
    }
    client.CoreV1Api().create_namespaced_config_map(trainer.namespace, body)
    workers = ClusterWorkers(RUN, IMAGE, trainer)
    workers.launch(1)
    until(lambda: "didn't match Pod's node affinity/selector" in workers.why_missing())
    workers.close()
