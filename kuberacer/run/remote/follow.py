"""Follows a run on a cluster to its end and tells of it as the local runner does."""

import contextlib
import json
import queue
import re
import shutil
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.local.runner import Observer
from kuberacer.run.local.step import TaskFailed, said_at_end
from kuberacer.run.remote import pods
from kuberacer.run.remote.cluster import Json, NotThere
from kuberacer.run.remote.logs import PodLog
from kuberacer.run.remote.model import Engine, RemoteStatus, RemoteTask, State
from kuberacer.took import PodTime

POLL_S = 1.0
LAST_LINES_S = 20.0  # for what a step's pod printed last
# Lines among a step's that are not the step's: of Argo's executor, of KFP's launcher.
_ENGINES_OWN = re.compile(r'time="|[IWEF]\d{4} \d\d:\d\d:\d\d|Error: exit status')
END_S = 60.0  # for a run that was told to end
QUIET_S = 20.0  # before it is said that no step has begun
ENGINE_S = 60.0  # for an engine between naming a step and making its pod: KFP's drivers take some 10 s when all is busy


@dataclass
class _Seen:
    """What was told of a step."""

    state: State = State.WAITING
    waiting_since: float = field(default_factory=time.monotonic)
    why: str = ""
    logs: dict[str, PodLog] = field(default_factory=dict)  # by pod
    last_pod: Json | None = None
    held: dict[str, PodTime] = field(default_factory=dict)  # by pod


@dataclass
class Follower:
    """wanted: names of the artifacts that a step's outputs must hold (None: all); go_on: how a person goes on.

    pending_minutes: how long a pod may wait before the run is ended; what its engine takes to make it is not counted.
    """

    engine: Engine
    id: str
    observer: Observer
    logs: Path
    scratch: Path
    wanted: Callable[[str], Collection[str] | None]
    pending_minutes: float = 15.0
    go_on: str = "run it again"
    say: Callable[[str], None] = print

    def __post_init__(self) -> None:
        self._seen: dict[str, _Seen] = {}
        self._lines: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
        self._error: UserError | None = None
        self._began = time.monotonic()
        self._why_none = ""  # what was said last of why no step has begun

    def run(self) -> None:
        """Until the run has succeeded. Raises the error of the first step that failed, or of the run."""
        try:
            while True:
                status = self.engine.cluster.patiently(self._look, self.say)
                self._drain(POLL_S)
                if status.state.ended:
                    break
        finally:
            for seen in self._seen.values():
                for log in seen.logs.values():
                    log.stop()
        if self._error is not None:
            raise self._error
        if status.state is not State.SUCCEEDED:
            where = self.engine.address(self.id)
            raise UserError(f"the run ended on the cluster: {status.message or status.state}", f"see {where}")

    def _look(self) -> RemoteStatus:
        """One look at the run: everything new in it is told."""
        try:
            status = self.engine.status(self.id)
        except NotThere as error:
            raise UserError(f"the run {self.id} was deleted from the cluster", self.go_on) from error
        if not self._seen and not status.tasks and not status.state.ended:
            self._await_first(status.message)
        found = self.engine.pods(self.id)
        for task in status.tasks:
            self._advance(task, found.get(task.pod))
        return status

    def _await_first(self, message: str) -> None:
        """Say why no step has begun; end the run when that takes too long. message: what the engine says of it."""
        waited = time.monotonic() - self._began
        reason = message or "nothing on the cluster has taken the run up; does the workflow controller run?"
        if waited > QUIET_S and reason != self._why_none:
            self._why_none = reason
            self.say(f"waits: no step has begun: {reason}")
        if waited > self.pending_minutes * 60 + ENGINE_S:
            self.engine.terminate(self.id)
            raise UserError(
                f"no step of the run began within {waited / 60:.1f} minutes: {reason}",
                f"see {self.engine.address(self.id)}, and `kubectl get pods -A`; then {self.go_on}",
            )

    def _advance(self, task: RemoteTask, pod: Json | None) -> None:
        seen = self._seen.get(task.path)
        if task.state is State.SKIPPED or (seen and seen.state.ended):
            return
        if seen is None:
            seen = self._seen[task.path] = _Seen()
            self.observer.started(task.path)
        if pod and seen.last_pod is None:
            seen.waiting_since = time.monotonic()
        seen.last_pod = pod or seen.last_pod
        self._account(task.path, seen, pod)
        if task.state is State.CACHED or task.state is State.SUCCEEDED:
            self._catch_up(task, seen)
            outputs = self._outputs(task)
            self.observer.ended(task.path, outputs, task.state is State.CACHED)
        elif task.state is State.FAILED:
            self._catch_up(task, seen)
            error = self._why_failed(task, seen)
            self.observer.failed(task.path, error)
            self._error = self._error or error
        elif pod and pods.container_started(pod):
            self._follow_log(task, seen, pod)
            seen.waiting_since = time.monotonic()
        else:
            self._wait(task, seen, pod)
        seen.state = task.state

    def _account(self, path: str, seen: _Seen, pod: Json | None) -> None:
        held = pods.time_of(pod, time.time()) if pod else None
        if held is not None:
            seen.held[held.uid] = held
            self.observer.held(path, list(seen.held.values()))

    def _follow_log(self, task: RemoteTask, seen: _Seen, pod: Json | None) -> None:
        name = pod["metadata"]["name"] if pod else ""
        if name and name not in seen.logs:
            path = self._log(task.path)
            if not seen.logs:
                path.unlink(missing_ok=True)
            say = lambda line: self._lines.put((task.path, line))  # noqa: E731
            seen.logs[name] = PodLog(self.engine.cluster, self.engine.namespace, name, path, say)
            seen.logs[name].start()

    def _catch_up(self, task: RemoteTask, seen: _Seen) -> None:
        """All that the step printed, before its end is told."""
        if task.state is not State.CACHED:
            self._follow_log(task, seen, seen.last_pod)
        until = time.monotonic() + LAST_LINES_S
        for log in seen.logs.values():
            while log.is_alive() and time.monotonic() < until:
                self._drain(0.2)
            log.stop()
        self._drain(0)
        path = self._log(task.path)
        if task.state is not State.CACHED and (not path.exists() or path.stat().st_size == 0):
            archived = self.engine.archived_log(self.id, task.path)
            if archived:
                path.write_bytes(archived)

    def _drain(self, patience_s: float) -> None:
        """Tell what pods printed, for so long."""
        until = time.monotonic() + patience_s
        while True:
            try:
                path, line = self._lines.get(timeout=max(until - time.monotonic(), 0.001))
            except queue.Empty:
                return
            if not self._seen[path].state.ended:
                self.observer.printed(path, line)

    def _outputs(self, task: RemoteTask) -> dict[str, Any]:
        folder = self.scratch / task.path
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return self.engine.outputs(self.id, task.path, self.wanted(task.path), folder)

    def _wait(self, task: RemoteTask, seen: _Seen, pod: Json | None) -> None:
        """Say once for each new reason why the step does not start; end the run when it takes too long."""
        found = self._why_waiting(task, pod)
        reason, remedy = found or ("its pod has not started", pods.START)
        if found and reason != seen.why:
            seen.why = reason
            self.observer.printed(task.path, f"progress: waits: {reason}")
        waited = time.monotonic() - seen.waiting_since
        allowed = self.pending_minutes * 60 + (0 if pod or found else ENGINE_S)
        if waited > allowed or (pod and pods.hopeless(pod)):
            self._error = TaskFailed(
                task.path,
                f"{_name(task.path)} did not start within {waited / 60:.1f} minutes: {reason}",
                f"{remedy}; then {self.go_on}",
            )
            self.observer.failed(task.path, self._error)
            self.engine.terminate(self.id)
            raise self._error

    def _why_waiting(self, task: RemoteTask, pod: Json | None) -> tuple[str, str] | None:
        if pod is None:
            if not task.message:
                return None
            return task.message, pods.QUOTA if "quota" in task.message else pods.START
        name = pod["metadata"]["name"]
        events: list[Json] = []
        with contextlib.suppress(UserError):  # events are a help, no more
            events = self.engine.cluster.items(
                f"/api/v1/namespaces/{self.engine.namespace}/events", fieldSelector=f"involvedObject.name={name}"
            )
        return pods.why_waiting(pod, events)

    def _why_failed(self, task: RemoteTask, seen: _Seen) -> UserError:
        """What the step said itself, else what the cluster did to its pod, else what the engine knows."""
        path = self._log(task.path)
        tail = [line for log in seen.logs.values() for line in log.tail]
        if not tail and path.exists():
            tail = path.read_text("utf-8", "replace").splitlines()[-60:]
        said = said_at_end(tail)
        if "error" in said:
            return TaskFailed(task.path, said["error"], said.get("remedy", f"see {path}"))
        name = _name(task.path)
        died = pods.why_died(seen.last_pod) if seen.last_pod else None
        if died:
            return TaskFailed(task.path, f"{name} {died[0]}", f"{died[1]}; {self.go_on}")
        status = pods.exit_status(seen.last_pod) if seen.last_pod else None
        last = next((line.strip() for line in reversed(tail) if line.strip() and not _ENGINES_OWN.match(line)), "")
        if status:
            return TaskFailed(task.path, f"{name} ended with status {status}: {last}".rstrip(": "), f"see {path}")
        why = task.message or "its pod is gone"
        return TaskFailed(task.path, f"{name} failed: {why}", f"see {path}; {self.go_on}")

    def _log(self, path: str) -> Path:
        self.logs.mkdir(parents=True, exist_ok=True)
        return self.logs / f"{_name(path)}.log"


def _name(path: str) -> str:
    return path.replace("-", "_")


def until_ended(engine: Engine, id: str, patience_s: float = END_S) -> None:
    """Wait until a run that was told to end has ended, its pods too."""
    until = time.monotonic() + patience_s
    while time.monotonic() < until:
        left = [pod for pod in engine.pods(id).values() if pod["status"].get("phase") in ("Pending", "Running")]
        if not left and engine.status(id).state.ended:
            return
        time.sleep(1)
    raise UserError(
        f"the run {id} did not end within {patience_s:.0f} s", f"see {engine.address(id)}, and `kuberacer clean`"
    )


def json_value(text: str) -> Any:
    """A parameter's value as engines hand it out; a plain text is itself."""
    try:
        return json.loads(text)
    except ValueError:
        return text
