"""One run of a pipeline, the race or a sweep: its folder, its store, its stages, its record."""

import contextlib
import fcntl
import os
import re
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kuberacer.errors import UserError
from kuberacer.run.compile import pipeline_text
from kuberacer.run.interrupts import Interrupted, Stopped, run_interruptible
from kuberacer.run.local import Environments, LocalRunner
from kuberacer.run.local.cache import TaskCache
from kuberacer.run.prices import Prices
from kuberacer.run.progress import Progress, stage_name
from kuberacer.run.record import (
    RecordFile,
    RunRecord,
    Stage,
    earlier_remote,
    earlier_remotes,
    earlier_stages,
    read_parameters,
)
from kuberacer.run.results import closing_lines, keep_for_watchers, take_outputs
from kuberacer.run.spec import Pipeline, read_pipeline
from kuberacer.run.spec.check import order
from kuberacer.run.spec.model import Graph

if TYPE_CHECKING:
    from kuberacer.run.remote.race import OnCluster

FULL_BYTES = 128 << 20  # the store refuses to write before a disk is quite full


def compiled_text(name: str, out: Path) -> str:
    return pipeline_text(name, out / ".cache" / "compiled")


def run_pipeline(
    name: str, out: Path, given: Mapping[str, Any], resume: str | None = None, where: "OnCluster | None" = None
) -> RunRecord:
    """Run a whole pipeline of pipelines/ (`race`, `sweep`, `mountain_car`, …), on this machine or on a cluster.

    given: the pipeline's parameters as far as the user named them; resume: an earlier run's name, whose parameters hold
    where none are given; where: None for this machine. Raises UserError when a stage fails and Stopped when the user
    ends the run; what is finished is kept in both cases.
    """
    Prices.given(None)  # a fault in it should not be told of at the end
    pipeline = read_pipeline(compiled_text(name, out), f"pipelines/{name}.py")
    parameters = {**read_parameters(out / resume, name), **given} if resume else dict(given)
    check_names(name, parameters, pipeline.root.parameters)
    values = {name: parameters.get(name, spec.default) for name, spec in pipeline.root.parameters.items()}
    track = track_name(values.get("track", ""))
    folder = out / resume if resume else _new_folder(out, "-".join(filter(None, [name * (name != "race"), track])))
    record = RunRecord(folder.name, track, values.get("algorithm", ""), int(values.get("seed", 0)))
    record.pipeline = name
    record.stages = [Stage(stage_name(task)) for task in order(pipeline.graph) if not _is_group(pipeline, task)]
    record.parameters = parameters
    record.remote = earlier_remote(folder) if resume and where else None
    record.earlier = earlier_stages(folder) if resume else []
    record.remotes = earlier_remotes(folder) if resume else []
    with _locked(folder):
        cache = TaskCache(out / ".cache" / "tasks")
        cache.forget_oldest()
        file = RecordFile(folder, record)
        file.write()
        _point_latest(out, folder)
        with _ending_noted(file), Progress(file, lambda *of: take_outputs(record, folder, *of)) as progress:
            progress.say(f"run {folder.name} in {folder}")
            if where is None:
                _run_stages(cache, folder, pipeline, record, progress)
            elif not _run_on_cluster(out, file, progress, where):
                return record
        print("\n".join(closing_lines(record, folder)), flush=True)
    return record


def check_names(name: str, given: Mapping[str, Any], known: Collection[str]) -> None:
    """Raises UserError for a parameter that the pipeline does not have."""
    for key in given:
        if key not in known:
            raise UserError(f"the pipeline {name} has no {key}", f"leave it out; it has {', '.join(known)}")


def _is_group(pipeline: Pipeline, task: str) -> bool:
    return isinstance(pipeline.components[pipeline.graph.tasks[task].component].body, Graph)


def _run_on_cluster(out: Path, file: RecordFile, progress: Progress, where: "OnCluster") -> bool:
    """False when it was submitted only."""
    from kuberacer.run.remote.race import run_stages  # not at the top: the cluster's client is slow to import

    followed = run_stages(compiled_text(file.record.pipeline, out), file, progress, where, _go_on(file.record))
    if not followed:
        file.record.status = "submitted"
    return followed


def _run_stages(cache: TaskCache, folder: Path, pipeline: Pipeline, record: RunRecord, progress: Progress) -> None:
    from kuberacer.run.store import object_store  # not at the top: boto3 is slow to import, and `validate` needs none

    with object_store(folder / ".store") as store:
        arguments = {**record.parameters, "run": record.run}
        record.store = store.identity
        if "track" in arguments:
            arguments["track"] = store.address_of_track(arguments["track"])
        store.race(arguments)
        store.player(arguments)
        store.pretrained(arguments)
        runner = LocalRunner(
            pipeline=pipeline,
            environments=Environments(),
            cache=cache,
            logs=_made(folder / "logs"),
            run_name=record.run,
            observer=progress,
            extra_environment={**store.environment, **_cache(folder.parent)},
            also="\n".join(filter(None, [store.identity, os.environ.get("KUBERACER_SIMULATORS")])),
            go_on=_go_on(record),
            parallel=1 if record.pipeline == "sweep" else 2,  # trials at once would take each other's minutes
        )
        try:
            run_interruptible(runner.run(arguments))
        finally:
            keep_for_watchers(store.objects.settings, record.run, folder)


def validate(out: Path, given: Mapping[str, Any]) -> list[str]:
    """Run the first stage alone, without a store, and say what it made. Raises UserError on a bad reward."""
    pipeline = read_pipeline(compiled_text("race", out), "pipelines/race.py")
    task = replace(pipeline.graph.tasks["validate-reward"], cache=False)
    pipeline = replace(pipeline, root=replace(pipeline.root, body=Graph({task.name: task}, {})))
    values = {name: given.get(name, spec.default) for name, spec in pipeline.root.parameters.items()}
    folder = _made(out / "validate")
    record = RunRecord(
        "validate", track_name(values["track"]), values["algorithm"], 0, stages=[Stage("validate_reward")]
    )
    with (
        tempfile.TemporaryDirectory(dir=folder) as scratch,
        Progress(RecordFile(Path(scratch), record), lambda *of: take_outputs(record, folder, *of)) as progress,
    ):
        runner = LocalRunner(
            pipeline=pipeline,
            environments=Environments(),
            cache=TaskCache(Path(scratch)),
            logs=_made(folder / "logs"),
            run_name="validate",
            observer=progress,
            extra_environment=_cache(out),
        )
        run_interruptible(runner.run(given))
    return [f"the reward function is valid on {record.track}", f"reward over the track: {folder / 'reward_map.png'}"]


def _cache(out: Path) -> dict[str, str]:
    """Where stages keep what later runs can use again: the modules of rewards, local environments, MLflow's records."""
    return {"KUBERACER_CACHE": str((out / ".cache").resolve()), "KUBERACER_MLFLOW": str((out / "mlflow").resolve())}


def _go_on(record: RunRecord) -> str:
    target = "run-sweep" if record.pipeline == "sweep" else "run-pipeline"
    return f"go on with `make {target} RESUME={record.run}`"


@contextlib.contextmanager
def _ending_noted(file: RecordFile) -> Iterator[None]:
    """Writes into run.json how it ended."""
    try:
        yield
        if file.record.status != "submitted":
            file.record.status = "succeeded"
    except UserError as error:
        file.record.status = "failed"
        file.record.error = {"cause": error.cause, "remedy": error.remedy}
        free = shutil.disk_usage(file.path.parent).free
        if free > FULL_BYTES:
            raise
        cause = f"the disk of {file.path.parent} is full ({free >> 20} MiB free): {error.cause}"
        raise UserError(cause, f"free some space, then {_go_on(file.record)}") from error
    except Interrupted as error:
        file.record.status = "interrupted"
        raise Stopped(error.number, _go_on(file.record)) from error
    except BaseException:
        file.record.status = "failed"
        raise
    finally:
        file.record.ended = None if file.record.status == "submitted" else time.time()
        with contextlib.suppress(OSError):  # a full disk must not hide what was the matter
            file.write()


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One process a run at a time. Raises UserError when the run is going on elsewhere."""
    with (folder / ".lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"the run {folder.name} is going on", "wait for its end, or end it there") from None
        lock.truncate(0)
        lock.write(f"{os.getpid()}\n")  # for who wants it to end
        lock.flush()
        yield


def _new_folder(out: Path, track: str) -> Path:
    """A folder of the run's own: <track>-<date>-<time>, numbered when several begin in one second."""
    name = re.sub(r"[^a-z0-9]+", "-", f"{track}-{time.strftime('%Y%m%d-%H%M%S')}".lower()).strip("-")
    out.mkdir(parents=True, exist_ok=True)
    for number in range(1, 1000):
        folder = out / (name if number == 1 else f"{name}-{number}")
        with contextlib.suppress(FileExistsError):
            folder.mkdir()
            return folder
    raise UserError(f"{out} holds 1000 runs of {name}", "remove some")


def _point_latest(out: Path, folder: Path) -> None:
    link = out / f".latest-{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(folder.name)
    link.replace(out / "latest")


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def track_name(track: str) -> str:
    """A track's name from what was given for it: a name, a file, a folder or an address."""
    return Path(track.rstrip("/")).name.removesuffix(".npy")
