"""What a person is told of steps that cannot start or are ended by the cluster, on a real Argo Workflows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conformance.case import IMAGE
from conformance.steps import say
from kfp import dsl, kubernetes

from kuberacer.errors import UserError
from kuberacer.run.compile import compile_to_text
from kuberacer.run.remote import follow
from kuberacer.run.remote.argo import ArgoEngine
from kuberacer.run.remote.cluster import Cluster
from kuberacer.run.remote.follow import Follower


@dsl.container_component
def eat(mebibytes: int):
    program = "import sys; data = bytearray(int(sys.argv[1]) << 20); data[::4096] = bytes([1]) * len(data[::4096])"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[mebibytes])


@dsl.container_component
def absent():
    return dsl.ContainerSpec(image="registry.invalid/kuberacer/absent:1", command=["true"])


@dsl.container_component
def speak():
    program = (
        "import sys, time\n"
        "for n in range(5): print(f'progress: {n} of 5', flush=True); time.sleep(0.5)\n"
        "print('error: the road ends', file=sys.stderr)\n"
        "print('remedy: turn round', file=sys.stderr)\n"
        "sys.exit(4)"
    )
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program])


@dsl.pipeline(name="too-much")
def too_much():
    eat(mebibytes=400).set_memory_limit("128Mi").set_memory_request("32Mi")


@dsl.pipeline(name="no-image")
def no_image():
    absent()


@dsl.pipeline(name="no-secret")
def no_secret():
    kubernetes.use_secret_as_env(say(text="a"), "no-such-secret", {"word": "WORD"})


@dsl.pipeline(name="speaks")
def speaks():
    speak()


class Listener:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.failures: list[str] = []

    def started(self, path: str) -> None: ...

    def held(self, path: str, pods: Any) -> None: ...

    def printed(self, path: str, line: str) -> None:
        self.lines.append(line)

    def ended(self, path: str, outputs: dict[str, Any], cached: bool) -> None: ...

    def failed(self, path: str, error: UserError) -> None:
        self.failures.append(path)


@pytest.fixture
def told(namespace: str, tmp_path: Path) -> Callable[..., tuple[UserError, Listener]]:
    """Runs a pipeline that must fail, and returns what is said of it."""

    def run(pipeline: Any, pending_minutes: float = 5.0) -> tuple[UserError, Listener]:
        listener = Listener()
        with ArgoEngine(Cluster(), namespace) as engine:
            id = engine.submit(compile_to_text(pipeline), {}, "follow")
            follower = Follower(
                engine, id, listener, tmp_path / "logs", tmp_path / "scratch", lambda path: None, pending_minutes
            )
            with pytest.raises(UserError) as caught:
                follower.run()
            engine.delete(id)
        return caught.value, listener

    return run


def test_a_step_that_is_killed_for_its_memory_says_so(told: Callable[..., tuple[UserError, Listener]]) -> None:
    error, listener = told(too_much)
    assert error.cause == "eat was killed because it used more memory than its limit of 128Mi (OOMKilled)"
    assert listener.failures == ["eat"]


def test_an_image_that_is_not_there_is_named(told: Callable[..., tuple[UserError, Listener]]) -> None:
    error, listener = told(no_image, 1.0)
    assert error.cause.startswith("absent did not start within 1.")
    assert "registry.invalid/kuberacer/absent:1" in error.cause
    assert any("waits: ErrImagePull" in line or "waits: ImagePullBackOff" in line for line in listener.lines)


def test_a_secret_that_is_not_there_is_named(told: Callable[..., tuple[UserError, Listener]]) -> None:
    error, _ = told(no_secret, 1.0)
    assert 'CreateContainerConfigError: secret "no-such-secret" not found' in error.cause


def test_a_steps_own_words_are_the_error(told: Callable[..., tuple[UserError, Listener]], tmp_path: Path) -> None:
    error, listener = told(speaks)
    assert (error.cause, error.remedy) == ("the road ends", "turn round")
    assert [line for line in listener.lines if line.startswith("progress: ")] == [
        f"progress: {n} of 5" for n in range(5)
    ]
    assert "error: the road ends" in (tmp_path / "logs" / "speak.log").read_text()


def test_a_run_that_no_controller_takes_up_is_told_and_ended(
    namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "QUIET_S", 3)
    monkeypatch.setattr(follow, "ENGINE_S", 3)
    workflow = {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"name": "ignored", "labels": {"workflows.argoproj.io/controller-instanceid": "another"}},
        "spec": {"entrypoint": "main", "templates": [{"name": "main", "suspend": {}}]},
    }
    said: list[str] = []
    with ArgoEngine(Cluster(), namespace) as engine:
        engine.cluster.call("POST", f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows", workflow)
        follower = Follower(
            engine, "ignored", Listener(), tmp_path, tmp_path, lambda path: None, pending_minutes=0.1, say=said.append
        )
        with pytest.raises(UserError) as caught:
            follower.run()
        engine.delete("ignored")
    reason = "nothing on the cluster has taken the run up; does the workflow controller run?"
    assert said == [f"waits: no step has begun: {reason}"]
    assert caught.value.cause.startswith("no step of the run began within 0.")
    assert caught.value.cause.endswith(reason)
