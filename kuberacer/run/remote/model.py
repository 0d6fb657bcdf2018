"""What the command knows of a run on a cluster, whichever engine runs it."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from kuberacer.run.local.cache import Outputs
from kuberacer.run.remote.cluster import Cluster, Json
from kuberacer.store.client import ObjectStore

RUN_LABEL = "kuberacer.io/run"
PART_LABELS = {"app.kubernetes.io/part-of": "kuberacer"}


class State(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CACHED = "cached"  # succeeded with an earlier run's outputs
    FAILED = "failed"
    SKIPPED = "skipped"

    @property
    def ended(self) -> bool:
        return self not in (State.WAITING, State.RUNNING)


@dataclass(frozen=True)
class RemoteTask:
    """One execution of a step.

    path: as the local runner names it; pod: by which pods() knows its newest attempt's pod, "" before there is one.

    message: the engine's words. started, finished: times as Kubernetes writes them.
    """

    path: str
    state: State
    pod: str = ""
    message: str = ""
    started: str = ""
    finished: str = ""


@dataclass(frozen=True)
class RemoteStatus:
    """state: RUNNING, SUCCEEDED or FAILED."""

    state: State
    message: str = ""
    tasks: tuple[RemoteTask, ...] = field(default_factory=tuple)


class Engine(Protocol):
    """What runs pipelines on a cluster. id: what submit() returned."""

    name: str
    namespace: str
    cluster: Cluster

    def submit(self, text: str, arguments: Mapping[str, Any], run: str) -> str:
        """Start a pipeline, given as compiled spec; returns the id by which the engine knows the run."""
        ...

    def status(self, id: str) -> RemoteStatus: ...

    def pods(self, id: str) -> dict[str, Json]:
        """The run's pods by what RemoteTask.pod says."""
        ...

    def outputs(self, id: str, path: str, names: Collection[str] | None, folder: Path) -> Outputs:
        """What a finished step put out, artifacts below `folder`; names: of the artifacts that are wanted (None: all).

        A wanted artifact that the step did not write is left out.
        """
        ...

    def artifacts(self, id: str) -> Iterator[tuple[str, ObjectStore, str]]:
        """(path of the step, store, key of a file or folder) of what the steps that ran here have put out."""
        ...

    def archived_log(self, id: str, path: str) -> bytes | None:
        """A step's log from where the engine keeps logs; None where it keeps none."""
        ...

    def address(self, id: str) -> str:
        """Where a person sees the run: an address, or what to type for one."""
        ...

    def terminate(self, id: str) -> None:
        """End the run: its steps get SIGTERM. No error when it has ended or is not there."""
        ...

    def delete(self, id: str) -> None:
        """Remove the run with all that it made in the cluster."""
        ...
