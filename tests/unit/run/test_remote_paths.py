"""The engines' names of steps become the local runner's."""

from typing import Any

from kuberacer.run.remote import argo, kfp_steps
from kuberacer.run.remote.metadata import Execution, Known
from kuberacer.run.remote.model import State
from kuberacer.run.remote.workflows import steps


def node(id: str, name: str, above: str = "", kind: str = "DAG", **more: Any) -> dict[str, dict[str, Any]]:
    fields = {"id": id, "displayName": name, "boundaryID": above, "type": kind, "phase": "Succeeded"}
    return {id: {**fields, **more}}


NODES = {
    **node("w", "w"),
    **node("validate", "validate-reward", "w", templateName="validate-reward-cached"),
    **node("v", "validate-reward", "validate", "Retry", children=["v0", "v1"]),
    **node("v0", "validate-reward(0)", "validate", "Pod", phase="Failed", message="exit 3"),
    **node("v1", "validate-reward(1)", "validate", "Pod"),
    **node("freeze", "freeze-graph", "w", templateName="freeze-graph-cached", memoizationStatus={"hit": True}),
    **node("loop", "for-loop-1", "w", templateName="for-loop-1"),
    **node("turns", "turn", "loop", "TaskGroup"),
    **node("t1", "turn(1:b)", "loop"),
    **node("s", "say", "t1", "Retry", children=["s0"], phase="Running"),
    **node("s0", "say(0)", "t1", "Pod", phase="Pending", message="no node"),
    **node("never", "never", "w", "Skipped", phase="Skipped"),
}


def test_steps_of_a_workflow_of_the_translator() -> None:
    tasks = {task.path: task for task in (argo._task(each, NODES) for each in steps(NODES))}
    assert {path: task.state for path, task in tasks.items()} == {
        "validate-reward": State.SUCCEEDED,
        "freeze-graph": State.CACHED,
        "for-loop-1[1].say": State.WAITING,
        "never": State.SKIPPED,
    }
    assert tasks["validate-reward"].pod == "v1"
    assert (tasks["for-loop-1[1].say"].pod, tasks["for-loop-1[1].say"].message) == ("s0", "no node")


def execution(id: int, task: str, parent: int, iteration: int | None = None, state: Known = Known.RUNNING) -> Execution:
    return Execution(id, "system.ContainerExecution", task, state, parent, iteration=iteration)


EXECUTIONS = {
    each.id: each
    for each in (
        execution(1, "", 0),
        execution(2, "train", 1),
        execution(3, "for-loop-1", 1),
        execution(4, "for-loop-1", 3, iteration=0),
        execution(5, "condition-2", 4),
        execution(6, "say", 5, state=Known.FAILED),
    )
}


def test_steps_of_a_run_of_kubeflow_pipelines() -> None:
    assert kfp_steps.path_of(EXECUTIONS[2], EXECUTIONS) == "train"
    assert kfp_steps.path_of(EXECUTIONS[6], EXECUTIONS) == "for-loop-1[0].condition-2.say"


def test_the_metadata_store_is_believed_unless_the_pod_knows_better() -> None:
    def state(id: int, phase: str | None) -> State:
        nodes = node("n", "executor", "x", "Pod", phase=phase) if phase else {}
        return kfp_steps.task_of(EXECUTIONS[id], EXECUTIONS, nodes.get("n"), nodes).state

    assert state(2, None) is State.RUNNING
    assert state(2, "Pending") is State.WAITING
    assert state(2, "Failed") is State.FAILED  # killed before it could tell
    assert state(2, "Succeeded") is State.RUNNING  # it tells in a moment
    assert state(6, "Failed") is State.FAILED
    assert state(6, "Running") is State.RUNNING  # tried again
