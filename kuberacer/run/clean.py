"""Removes a run: from the cluster, from the object store, from this machine, in this order; what is left can be found
and removed by a second call, since the folder with its record goes last."""

import contextlib
import fcntl
import json
import os
import re
import shutil
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.leaderboard import remake_leaderboards
from kuberacer.run.record import read_record
from kuberacer.run.store import external_store
from kuberacer.run.things import Thing, folder_size, objects, size
from kuberacer.store.client import ObjectStore

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
NO_RUNS = {"inputs", "contexts", "leaderboards", "leaderboard", "argo", "validate", "latest"}  # of a bucket or OUT
STOP_S = 60.0
LAST = ("run.json", ".lock")  # by which a second call knows the run
REMAINS = (
    "what runs share: remembered steps (OUT/.cache, Argo's and Kubeflow's), tracks and models under inputs/, images"
)


@dataclass
class Found:
    """things: what goes, in this order. remains: what does not, and why."""

    things: list[Thing] = field(default_factory=list)
    remains: list[str] = field(default_factory=list)


def clean(out: Path, name: str, sure: bool = False, stop: bool = False, keep_results: bool = False) -> None:
    """Show what there is of a run, ask, remove it, and say what was removed and what remains.

    sure: do not ask. stop: end the run first when it is going on. keep_results: remove it from its cluster only.
    Raises UserError when there is no such run, when it is going on, and when nobody can be asked.
    """
    folder = run_folder(out, name)
    with contextlib.ExitStack() as stack:
        if folder.is_dir():
            stack.enter_context(_ours(folder, stop))
        found = _find(stack, out, folder, stop, keep_results)
        if not found.things:
            raise UserError(f"there is no run {name} in {out}" if not folder.exists() else f"nothing is left of {name}",
                            "see the folder, or name the store with KUBERACER_S3_BUCKET")  # fmt: skip
        print("\n".join([f"of the run {name} goes:", *(f"  {thing.what}" for thing in found.things)]), flush=True)
        if not sure:
            _ask()
        for thing in found.things:
            thing.remove()
            print(f"removed {thing.what}", flush=True)
    print("\n".join(f"remains: {what}" for what in [*found.remains, REMAINS]))


def run_folder(out: Path, name: str) -> Path:
    """Raises UserError for what is no run's name: a name is also a folder and a prefix of keys."""
    if not NAME.fullmatch(name) or name in NO_RUNS:
        raise UserError(f"{name!r} is no name of a run", f"give the name of a folder in {out}")
    return out / name


def _find(stack: contextlib.ExitStack, out: Path, folder: Path, stop: bool, keep_results: bool) -> Found:
    record = _record(folder)
    found = Found()
    if record.get("remote"):
        # Not at the top: the cluster's client is slow to import.
        from kuberacer.run.remote.clean import of_cluster
        from kuberacer.run.remote.cluster import Unreachable

        try:
            of_cluster(stack, folder, record, stop, keep_results, found)
        except Unreachable as error:
            alone = f"if that cluster is gone for good, remove the folder alone: rm -r {folder}"
            raise UserError(error.cause, f"{error.remedy}; {alone}") from error
    elif keep_results:
        raise UserError(f"the run {folder.name} ran on this machine", "without --keep-results it is removed from here")
    if keep_results:
        return found
    if not record.get("remote"):
        _of_store(folder, record, found)
    if folder.is_dir():
        found.things.append(
            Thing(f"{folder}: {size(*folder_size(folder), 'files')}", lambda: _remove_folder(out, folder))
        )
    return found


def _record(folder: Path) -> dict[str, Any]:
    """run.json; {} of a run without a folder, and of a folder that an interrupted call has all but removed."""
    if not folder.exists() or not [entry for entry in folder.iterdir() if entry.name != ".lock"]:
        return {}
    return read_record(folder)


def _of_store(folder: Path, record: dict[str, Any], found: Found) -> None:
    """A run of this machine has a store of its own in its folder, or used the one that the settings name."""
    used = record.get("store", "")
    if used == "own" or (not used and (folder / ".store").exists()):
        return
    store, identity = external_store()
    if store is None or (used and used != identity):
        if used:
            found.remains.append(f"its objects {used}/{folder.name}/: KUBERACER_S3_* do not name that store now")
        return
    found.things += things_of_store(store, folder.name)


def things_of_store(store: ObjectStore, run: str) -> list[Thing]:
    """A run's objects, its card among them, and its lines on the leaderboards, which are made anew from the cards."""
    below = objects(store, [f"{run}/"], store.address(f"{run}/"))
    boards = boards_of(store, run)
    things = [below] if below else []
    if boards:
        names = ", ".join(name or "all runs" for name in boards)
        things.append(Thing(f"its lines on the leaderboards: {names}", lambda: remake_leaderboards(store, boards)))
    return things


def boards_of(store: ObjectStore, run: str) -> list[str]:
    """The leaderboards that list a run; "" is that of all."""
    names = []
    for key in store.list("leaderboards/"):
        if key.endswith("/leaderboard.json"):
            with contextlib.suppress(ValueError, KeyError, TypeError, AttributeError):
                board = json.loads(store.get_bytes(key))
                if any(entry["run"] == run for entry in board["entries"]):
                    names.append(str(board["leaderboard"]))
    return names


@contextlib.contextmanager
def _ours(folder: Path, stop: bool) -> Iterator[None]:
    """The run's lock. Raises UserError when a command has it, or ends that command first."""
    with (folder / ".lock").open("a+") as lock:
        if not _locked(lock):
            if not stop:
                raise UserError(
                    f"the run {folder.name} is going on", "wait for its end, or end it first: STOP=1 (--stop)"
                )
            lock.seek(0)
            pid = lock.read().strip()
            if not pid.isdigit():
                raise UserError(f"the command of {folder.name} is not known", "end it there, and run this again")
            print(f"ending the run {folder.name} (process {pid})", flush=True)
            os.kill(int(pid), signal.SIGTERM)
            _until(lambda: _locked(lock), f"the run {folder.name} did not end within {STOP_S:.0f} s")
        yield


def _locked(lock: Any) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _until(done: Callable[[], bool], cause: str) -> None:
    until = time.monotonic() + STOP_S
    while not done():
        if time.monotonic() > until:
            raise UserError(cause, "see what it does, end it, and run this again")
        time.sleep(0.1)


def _ask() -> None:
    if not sys.stdin.isatty():
        raise UserError(
            "nobody can be asked: this is no terminal", "to remove it without being asked, give YES=1 (--yes)"
        )
    if input("remove all of it? [y/N] ").strip().lower() not in ("y", "yes"):
        raise UserError("nothing was removed", "answer y to remove it")


def _remove_folder(out: Path, folder: Path) -> None:
    for entry in sorted(folder.iterdir()):
        if entry.name not in LAST:
            _remove(entry)
    for name in LAST:
        _remove(folder / name)
    folder.rmdir()
    latest = out / "latest"
    if latest.is_symlink() and not latest.exists():
        latest.unlink()
        runs = [path.parent for path in out.glob("*/run.json")]
        if runs:
            latest.symlink_to(max(runs, key=lambda run: (run / "run.json").stat().st_mtime).name)


def _remove(entry: Path) -> None:
    if entry.is_dir() and not entry.is_symlink():
        shutil.rmtree(entry)
    else:
        entry.unlink(missing_ok=True)
