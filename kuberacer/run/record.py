"""run.json: what a run was asked for, how far it is, what came of it. Written from the start, whole each time."""

import contextlib
import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.compile import write_text
from kuberacer.took import PodTime, Took, summed
from kuberacer.usage import Usage


@dataclass
class Stage:
    """status: pending, running, succeeded, failed. wall_s: 0 when an earlier run's outputs were taken (cached).

    started: seconds since the epoch. attempts: what each try at it took, of which a killed one could not tell. pods:
    what it had on a cluster.
    """

    name: str
    status: str = "pending"
    wall_s: float = 0.0
    cached: bool = False
    started: float | None = None
    attempts: list[Usage] = field(default_factory=list)
    pods: list[PodTime] = field(default_factory=list)

    def took(self) -> Took:
        return Took.of(self.attempts, self.pods)


@dataclass(frozen=True)
class Remote:
    """Where a run goes on a cluster. id: by which its engine (backend) knows it; address: where a person sees it."""

    backend: str
    namespace: str
    id: str
    address: str = ""


@dataclass
class RunRecord:
    run: str
    track: str
    algorithm: str
    seed: int
    pipeline: str = "race"  # of pipelines/
    status: str = "running"  # running, succeeded, failed, interrupted
    started: float = field(default_factory=time.time)  # seconds since the epoch, as is `ended`
    ended: float | None = None
    error: dict[str, str] | None = None  # cause and remedy, of a run that failed
    stages: list[Stage] = field(default_factory=list)
    wall_s: float = 0.0
    first_lap_s: float | None = None  # from training's start to the first completed lap without exploration
    steps: int | None = None
    laps_completed: int | None = None
    trials: int | None = None
    best_lap_s: float | None = None
    mean_return: float | None = None  # of the evaluation, where there are no laps
    outputs: dict[str, str] = field(default_factory=dict)
    parameters: dict[str, Any] = field(default_factory=dict)  # of the pipeline, as they were given
    remote: Remote | None = None  # of a run on a cluster
    remotes: list[Remote] = field(default_factory=list)  # all of its submissions, that one the last
    store: str = ""  # of a run of this machine: "own", or endpoint/bucket
    earlier: list[Stage] = field(default_factory=list)  # of the commands before this one that began or resumed the run

    def took(self) -> Took:
        """All that the run took, its earlier commands included."""
        return summed(stage.took() for stage in self.all_stages())

    def all_stages(self) -> list[Stage]:
        """One a name: what a command told of and a later one told of again, as of a run on a cluster, counts once."""
        merged: dict[str, Stage] = {}
        for stage in [*self.earlier, *self.stages]:
            into = merged.setdefault(stage.name, Stage(stage.name))
            into.attempts = list({each.id: each for each in [*into.attempts, *stage.attempts]}.values())
            into.pods = list({each.uid: each for each in [*into.pods, *stage.pods]}.values())
        return list(merged.values())

    def stage(self, name: str) -> Stage:
        """The stage of that name; one of a loop appears when it begins."""
        for stage in self.stages:
            if stage.name == name:
                return stage
        self.stages.append(Stage(name))
        return self.stages[-1]


class RecordFile:
    """Keeps run.json up to date."""

    def __init__(self, folder: Path, record: RunRecord):
        self.path = folder / "run.json"
        self.record = record
        self._began = time.monotonic()

    def write(self) -> None:
        self.record.wall_s = round(time.monotonic() - self._began, 2)
        found = {**asdict(self.record), "took": self.record.took().figures()}
        write_text(self.path, json.dumps(found, indent=2, ensure_ascii=False) + "\n")


def run_named(out: Path, name: str) -> str:
    """A run's name, also of `latest`."""
    return (out / "latest").resolve().name if name == "latest" and (out / "latest").exists() else name


def read_parameters(folder: Path, pipeline: str) -> dict[str, Any]:
    """What an earlier run of a pipeline was given. Raises UserError when there is no such run."""
    found = _read(folder)
    if found.get("pipeline", "race") != pipeline:
        raise UserError(f"{folder.name} is a run of {found['pipeline']}, not of {pipeline}", "name another run")
    return dict(found["parameters"])


def needs_files(folder: Path, *names: str) -> None:
    """Raises UserError when an earlier run of the race pipeline has not left these files or folders."""
    read_parameters(folder, "race")
    missing = [name for name in names if not (folder / name).exists()]
    if missing:
        raise UserError(
            f"the run {folder.name} has no {missing[0]}",
            f"`make run-pipeline RESUME={folder.name}` brings it to its end, and its files into {folder}",
        )


def earlier_stages(folder: Path) -> list[Stage]:
    """What the commands before took; stages of which nothing is known, or nothing that reads, are left out."""
    found = _read(folder)
    stages = []
    for each in [*found.get("earlier", []), *found.get("stages", [])]:
        with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
            attempts = [Usage.read(attempt) for attempt in each.get("attempts", [])]
            pods = [PodTime.read(pod) for pod in each.get("pods", [])]
            if attempts or pods:
                kept = {name: each[name] for name in ("name", "status", "wall_s", "cached")}
                stages.append(Stage(**kept, attempts=attempts, pods=pods))
    return stages


def read_record(folder: Path) -> dict[str, Any]:
    """run.json. Raises UserError when there is no such run."""
    return _read(folder)


def earlier_remote(folder: Path) -> Remote | None:
    """Where an earlier run goes or went; None for a run on this machine. Raises UserError when there is no such run."""
    found = _read(folder).get("remote")
    return None if found is None else Remote(**found)


def earlier_remotes(folder: Path) -> list[Remote]:
    """All submissions of an earlier run."""
    found = _read(folder)
    return [Remote(**each) for each in found.get("remotes") or [found.get("remote")] if each]


def _read(folder: Path) -> dict[str, Any]:
    try:
        found = json.loads((folder / "run.json").read_text(encoding="utf-8"))
        return {**found, "parameters": dict(found["parameters"])}
    except (OSError, ValueError, KeyError, TypeError):
        runs = sorted(path.parent.name for path in folder.parent.glob("*/run.json") if not path.parent.is_symlink())
        remedy = f"choose one of {', '.join(runs[-8:])}" if runs else "start one with `make run-pipeline`"
        raise UserError(f"there is no run {folder.name} in {folder.parent}", remedy) from None
