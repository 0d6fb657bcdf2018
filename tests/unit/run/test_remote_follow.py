"""How long a step may wait on a cluster: its pod's time counts, the engine's to make it does not."""

import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest

from kuberacer.errors import UserError
from kuberacer.run.remote import follow
from kuberacer.run.remote.model import RemoteStatus, RemoteTask, State

PENDING_S = 0.3
REASON = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
UNSCHEDULABLE = {
    "metadata": {"name": "train-1"},
    "status": {"conditions": [{"type": "PodScheduled", "status": "False", "message": REASON}]},
}


class SlowEngine:
    """Names its step at once, makes the pod, which no node takes, `makes_after_s` later."""

    namespace = "here"

    def __init__(self, makes_after_s: float, message: str = "", names_step: bool = True):
        self.names_step = names_step
        self.cluster = SimpleNamespace(patiently=lambda look, say: look(), items=lambda *a, **k: [])
        self._pod_at = time.monotonic() + makes_after_s
        self._message = message
        self.terminated: list[str] = []

    def status(self, id: str) -> RemoteStatus:
        if not self.names_step:
            return RemoteStatus(State.RUNNING, self._message)
        return RemoteStatus(State.RUNNING, tasks=(RemoteTask("train", State.WAITING, "p", self._message),))

    def pods(self, id: str) -> dict[str, Any]:
        return {"p": UNSCHEDULABLE} if time.monotonic() > self._pod_at else {}

    def address(self, id: str) -> str:
        return "its page"

    def terminate(self, id: str) -> None:
        self.terminated.append(id)


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[[SlowEngine], tuple[str, list[str]]]:
    monkeypatch.setattr(follow, "POLL_S", 0.02)

    def run(engine: SlowEngine) -> tuple[str, list[str]]:
        lines: list[str] = []
        observer = Mock()
        observer.printed = lambda path, line: lines.append(line)
        follower = follow.Follower(
            engine,  # type: ignore[arg-type]
            "r",
            observer,
            tmp_path,
            tmp_path,
            lambda path: None,
            PENDING_S / 60,
            say=lines.append,
        )
        with pytest.raises(UserError) as caught:
            follower.run()
        assert engine.terminated == ["r"]
        return caught.value.cause, lines

    return run


def test_the_engines_time_to_make_a_pod_is_not_the_pods(ended: Callable[[SlowEngine], tuple[str, list[str]]]) -> None:
    began = time.monotonic()
    cause, lines = ended(SlowEngine(3 * PENDING_S))
    assert lines == [f"progress: waits: {REASON}"]
    assert cause.startswith("train did not start within ")
    assert cause.endswith(REASON)
    assert time.monotonic() - began > 4 * PENDING_S


def test_a_reason_without_a_pod_counts_as_waiting(ended: Callable[[SlowEngine], tuple[str, list[str]]]) -> None:
    cause, lines = ended(SlowEngine(1000, "exceeded quota: cpu"))
    assert lines == ["progress: waits: exceeded quota: cpu"]
    assert cause.endswith("exceeded quota: cpu")


def test_a_pod_that_is_never_made_ends_the_run(
    ended: Callable[[SlowEngine], tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "ENGINE_S", 0.2)
    cause, lines = ended(SlowEngine(1000))
    assert lines == []
    assert cause.endswith("its pod has not started")


@pytest.mark.parametrize("message", ["", "Workflow processing has been postponed"])
def test_a_run_that_nobody_takes_up_is_told_and_ended(
    message: str, ended: Callable[[SlowEngine], tuple[str, list[str]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "ENGINE_S", 0.2)
    monkeypatch.setattr(follow, "QUIET_S", 0.1)
    cause, lines = ended(SlowEngine(1000, message, names_step=False))
    reason = message or "nothing on the cluster has taken the run up; does the workflow controller run?"
    assert lines == [f"waits: no step has begun: {reason}"]
    assert cause.startswith("no step of the run began within ")
    assert cause.endswith(reason)
