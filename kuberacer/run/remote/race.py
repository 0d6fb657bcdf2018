"""A run of the race pipeline on a cluster, from the command's side: submit, follow, fetch, end."""

import contextlib
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.run.interrupts import Interrupted
from kuberacer.run.progress import Progress, stage_name
from kuberacer.run.record import RecordFile, Remote
from kuberacer.run.remote.cluster import Cluster, NotThere
from kuberacer.run.remote.follow import Follower, until_ended
from kuberacer.run.remote.model import Engine
from kuberacer.run.remote.stores import runs_store
from kuberacer.run.results import wanted_artifacts
from kuberacer.run.rivals import local_rivals
from kuberacer.run.store import Store

BACKENDS = ("argo", "kfp")
LONGEST = 100_000  # bytes; Linux takes 128 KiB as one argument of a program, and KFP escapes it


@dataclass(frozen=True)
class OnCluster:
    """Where and how a run goes. detach: submit, follow nothing."""

    backend: str
    detach: bool = False
    pending_minutes: float = 15.0


@contextlib.contextmanager
def engine_of(backend: str, namespace: str | None = None) -> Iterator[Engine]:
    """Raises UserError when the cluster or the engine cannot be reached."""
    cluster = Cluster()
    if backend == "argo":
        from kuberacer.run.remote.argo import ArgoEngine

        with ArgoEngine(cluster, namespace) as argo:
            yield argo
    elif backend == "kfp":
        from kuberacer.run.remote.kfp import KfpEngine  # kfp takes seconds to import

        with KfpEngine(cluster, namespace) as kfp:
            yield kfp
    else:
        raise UserError(f"there is no backend {backend}", f"choose local, {' or '.join(BACKENDS)}")


def run_stages(text: str, file: RecordFile, progress: Progress, where: OnCluster, go_on: str) -> bool:
    """Run the pipeline's stages on a cluster, or go on following the run that the record names.

    Returns whether it was followed to its end. Ctrl-C ends the run there, too. Raises UserError when a stage fails.
    """
    record, folder = file.record, file.path.parent
    before = record.remote if record.remote and record.remote.backend == where.backend else None
    with engine_of(where.backend, before.namespace if before else None) as engine:
        id = _still_going(engine, before)
        if id is None:
            id = engine.submit(text, _arguments(engine, file), record.run)
        else:
            progress.say("it is still going on there: following it")
        record.remote = Remote(where.backend, engine.namespace, id, engine.address(id))
        record.remotes = [each for each in record.remotes if each.id != id] + [record.remote]
        file.write()
        progress.say(f"on the cluster: {record.remote.address}")
        if where.detach:
            progress.say(f"to follow it, {go_on}; to end and remove it, `kuberacer clean {record.run} --stop`")
            return False
        scratch = folder / ".fetched"
        follower = Follower(
            engine=engine,
            id=id,
            observer=progress,
            logs=folder / "logs",
            scratch=scratch,
            wanted=lambda path: wanted_artifacts(stage_name(path)),
            pending_minutes=where.pending_minutes,
            go_on=go_on,
            say=progress.say,
        )
        try:
            follower.run()
        except Interrupted:
            progress.say("ending the run on the cluster (again Ctrl-C: without waiting for its end)")
            engine.terminate(id)
            until_ended(engine, id)
            raise
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    return True


def _still_going(engine: Engine, remote: Remote | None) -> str | None:
    """The id of an earlier submission that has not ended: two of one run would write to the same checkpoints."""
    try:
        return None if remote is None or engine.status(remote.id).state.ended else remote.id
    except NotThere:
        return None


def _arguments(engine: Engine, file: RecordFile) -> dict[str, object]:
    """The pipeline's arguments. What is too long for a command line, and a track's file, go into the stages' store."""
    given = {**file.record.parameters, "run": file.record.run}
    track, reward = given.get("track"), given.get("reward")
    is_file = track is not None and not track.startswith("s3://") and (track.endswith(".npy") or Path(track).exists())
    is_long = reward is not None and len(reward.encode()) > LONGEST
    has_rivals = any(local_rivals(str(given[name]), name) for name in ("race", "evaluation") if given.get(name))
    begins_here = Path(str(given.get("pretrained") or "")).is_absolute()
    has_player = Path(str(given.get("player") or "")).is_absolute()
    if is_file or is_long or has_rivals or begins_here or has_player:
        with runs_store(engine.cluster, engine.namespace) as store:
            if is_file:
                given["track"] = Store(store, {}, "").address_of_track(str(track))
            if has_rivals:
                Store(store, {}, "").race(given)
            if has_player:
                Store(store, {}, "").player(given)
            if begins_here:
                Store(store, {}, "").pretrained(given)
            if is_long:
                data = str(reward).encode()
                key = f"inputs/{hashlib.sha256(data).hexdigest()[:16]}/reward_function.py"
                store.put_bytes(key, data)
                given["reward"] = store.address(key)
    return given
