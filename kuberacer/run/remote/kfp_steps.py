"""How KFP's metadata store, its workflow and its pods tell of the same steps."""

import contextlib
import json
from collections.abc import Mapping

from kuberacer.run.remote.cluster import Json
from kuberacer.run.remote.metadata import Execution, Known
from kuberacer.run.remote.model import RemoteTask, State
from kuberacer.run.remote.workflows import Nodes, newest, state_of

STATES = {
    Known.UNKNOWN: State.WAITING,
    Known.NEW: State.WAITING,
    Known.RUNNING: State.RUNNING,
    Known.COMPLETE: State.SUCCEEDED,
    Known.FAILED: State.FAILED,
    Known.CACHED: State.CACHED,
    Known.CANCELED: State.SKIPPED,
}


def task_of(execution: Execution, executions: Mapping[int, Execution], node: Json | None, nodes: Nodes) -> RemoteTask:
    """What the metadata store says, unless the step's pod died before it could tell of it."""
    state = STATES[execution.state]
    last = newest(node, nodes) if node else {}
    if node and not state.ended:
        state = state_of(node, nodes)
        state = State.RUNNING if state is State.SUCCEEDED else state  # it tells of its end in a moment
    elif node and state is State.FAILED and not state_of(node, nodes).ended:
        state = State.RUNNING  # it is tried again
    return RemoteTask(
        path=path_of(execution, executions),
        state=state,
        pod=str(execution.id),
        message=last.get("message", ""),
        started=last.get("startedAt") or "",
        finished=last.get("finishedAt") or "",
    )


def path_of(execution: Execution, executions: Mapping[int, Execution]) -> str:
    """Names of the tasks on the way to it, as the local runner writes them: `for-loop-1[0].say`."""
    parent = executions.get(execution.parent)
    if parent is None or not parent.task:  # the root has no task
        return execution.task
    above = path_of(parent, executions)
    if execution.iteration is not None:  # a turn of the loop, which is its parent
        return f"{above}[{execution.iteration}]"
    return f"{above}.{execution.task}"


def command_of(pod: Json) -> list[str]:
    return [
        word
        for container in pod["spec"]["containers"]
        if container["name"] == "main"
        for word in [*(container.get("command") or []), *(container.get("args") or [])]
    ]


def patched_command(node: Json) -> list[str]:
    """The command that KFP's driver gave to a step's pod."""
    for parameter in (node.get("inputs") or {}).get("parameters") or []:
        if parameter["name"] == "pod-spec-patch":
            with contextlib.suppress(ValueError, KeyError, IndexError, TypeError):
                words: list[str] = json.loads(parameter["value"])["containers"][0]["command"]
                return words
    return []


def execution_of(command: list[str]) -> str:
    """By which the metadata store knows the step that this command runs; "" for KFP's own pods."""
    if "--execution_id" not in command:
        return ""
    return command[command.index("--execution_id") + 1]
