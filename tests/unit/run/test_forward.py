"""Which pod a forwarded connection goes to."""

import pytest

from kuberacer.errors import UserError
from kuberacer.run.remote.forward import Forward

ENTRY = {"port": 80, "targetPort": 8080}


class Pods:
    """What the API server lists."""

    def __init__(self, *pods: dict):
        self.pods = list(pods)

    def items(self, path: str, **_: str) -> list[dict]:
        return self.pods


def pod(name: str, ready: str = "True", **metadata: str) -> dict:
    conditions = [{"type": "Initialized", "status": "True"}, {"type": "Ready", "status": ready}]
    return {"metadata": {"name": name, **metadata}, "status": {"conditions": conditions}}


def test_a_pod_that_is_being_replaced_is_not_asked_though_it_is_ready_still():
    old, young = pod("old", deletionTimestamp="2026-11-30T10:33:00Z"), pod("young", ready="False")
    forward = Forward(Pods(old, young, pod("new")), "kuberacer", {"app": "x"}, ENTRY)
    assert forward._pod() == ("new", 8080)


def test_without_a_pod_that_answers_it_is_said_where_to_look():
    forward = Forward(Pods(pod("old", deletionTimestamp="2026-11-30T10:33:00Z")), "kuberacer", {"app": "x"}, ENTRY)
    with pytest.raises(UserError, match="no pod of kuberacer with app=x is ready"):
        forward.__enter__()
