"""The runs of a folder: those that go on through their own stores, those that have ended by what they left there."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from kuberacer.errors import UserError
from kuberacer.formats import live
from kuberacer.formats.race_result import RESULT
from kuberacer.sim.track import load_track
from kuberacer.store.client import AwayError, NotFoundError
from kuberacer.store.server import running_server
from kuberacer.watch import runs
from kuberacer.watch.log_tail import LogTail, new_part
from kuberacer.watch.names import LATEST, checked_path, checked_run, is_file_of_run
from kuberacer.watch.runs import File
from kuberacer.watch.stored import HISTORY, StoredRun, quick_store, rows_of

MOST_BYTES = 32 << 20  # of a record, a history or a card
MOST_FILES = 20_000
STATES = {"succeeded": runs.FINISHED, "failed": runs.ENDED_BADLY, "interrupted": runs.STOPPED}
PIECE = 256 << 10


class StageRecord(BaseModel):
    name: str = ""
    status: str = "pending"
    wall_s: float | None = None
    started: float | None = None


class Record(BaseModel):
    """What this needs of a run's run.json."""

    track: str = ""
    algorithm: str = ""
    pipeline: str = "race"
    status: str = "running"
    seed: int | None = None
    started: float | None = None
    ended: float | None = None
    best_lap_s: float | None = None
    trials: int | None = None
    laps_completed: int | None = None
    error: dict[str, str] | None = None
    remote: dict[str, Any] | None = None
    stages: list[StageRecord] = []
    parameters: dict[str, Any] = {}
    outputs: dict[str, str] = {}


class LocalRuns:
    """A folder of runs, out/."""

    def __init__(self, folder: Path):
        self.folder = folder.resolve()
        self._stores: dict[str, tuple[str, StoredRun]] = {}  # run: (address, its store)
        self._rows: dict[str, tuple[float, list[dict[str, Any]]]] = {}  # run: (time of its file, history)

    def names(self) -> list[str]:
        found = []
        for path in self.folder.glob("*/run.json"):
            with contextlib.suppress(UserError):
                if not path.parent.is_symlink() and checked_run(path.parent.name):
                    record = self._record(path.parent.name)
                    found.append((record.started or path.parent.stat().st_mtime, path.parent.name))
        return [name for _, name in sorted(found, reverse=True)]

    def entry(self, run: str) -> dict[str, Any]:
        record, state = self._record(run), self._state(run)
        rows = self.history(run) if record.pipeline == "race" else []
        found = runs.figures(rows)
        if state == runs.FINISHED and record.best_lap_s:
            found["best_lap"] = record.best_lap_s
        left = None
        if state == runs.RUNNING and (stored := self._store(run)):
            with contextlib.suppress(AwayError):
                left = (stored.now() or {}).get("seconds_left")
        return {
            "run": self._folder(run).name,
            "state": state,
            "track": record.track,
            "race_type": race_type(record),
            "algorithm": record.algorithm,
            "started": record.started,
            "ended": record.ended,
            "seconds_left": left,
            "published": "model" in record.outputs,
            **found,
        }

    def detail(self, run: str) -> dict[str, Any]:
        record, about = self._record(run), self._about(run) or {}
        evaluation = None
        if record.trials:
            evaluation = {
                "trials": record.trials, "laps_completed": record.laps_completed, "best_lap": record.best_lap_s,
                "rows": runs.trials(_bytes(self._folder(run) / "race_result" / RESULT)),
            }  # fmt: skip
        settings = about.get("settings") or {}
        return {
            "track_outline": about.get("track") or track_outline(record, self._folder(run)),
            "evaluation": evaluation,
            "settings": {**settings, "parameters": record.parameters, "seed": record.seed},
            "error": record.error,
        }

    def stages(self, run: str) -> list[dict[str, Any]]:
        return [_stage(each) for each in self._record(run).stages]

    def history(self, run: str) -> list[dict[str, Any]]:
        folder = self._folder(run)
        if self._state(run) == runs.RUNNING and (stored := self._store(run)):
            return stored.history()
        path = folder / HISTORY
        if not path.is_file():
            return []
        changed = path.stat().st_mtime
        if self._rows.get(folder.name, (None, []))[0] != changed:
            self._rows[folder.name] = (changed, rows_of(_read(path)))
        return self._rows[folder.name][1]

    def now(self, run: str) -> dict[str, Any] | None:
        if self._state(run) != runs.RUNNING or not (stored := self._store(run)):
            return None
        stored.watch()
        return stored.now()

    def log(self, run: str, tail: LogTail) -> tuple[list[str], LogTail]:
        logs = [path for path in (self._folder(run) / "logs").glob("*.log") if not path.is_symlink()]
        if not logs:
            return [], tail
        newest = max(logs, key=lambda path: path.stat().st_mtime)
        read = lambda first, last: b"".join(_pieces(newest, first, last))  # noqa: E731
        return new_part(tail, newest.name, newest.stat().st_size, read)

    def files(self, run: str) -> list[File]:
        folder, found = self._folder(run), []
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if is_file_of_run(name) and path.is_file() and not path.is_symlink():
                found.append(File(name, path.stat().st_size, path.stat().st_mtime))
                if len(found) == MOST_FILES:
                    break
        return found

    def open(self, run: str, path: str) -> File:
        status = self._place(run, path).stat()
        return File(path, status.st_size, status.st_mtime)

    def read(self, run: str, path: str, first: int, last: int) -> Iterator[bytes]:
        return _pieces(self._place(run, path), first, last)

    def cards(self) -> Iterator[bytes]:
        cards = (_bytes(self.folder / name / "model_card.json") for name in self.names())
        return (card for card in cards if card is not None)

    def _place(self, run: str, path: str) -> Path:
        folder = self._folder(run)
        place = folder / checked_path(path)
        # Nothing that a link leads to: what lies elsewhere is not this run's.
        if place.resolve() != place or not place.is_file():
            raise NotFoundError("there is no such file", "choose one of the run's list")
        return place

    def _folder(self, run: str) -> Path:
        folder = self.folder / checked_run(run)
        if run == LATEST:
            folder = folder.resolve()
        if folder.parent != self.folder or folder.is_symlink() or not (folder / "run.json").is_file():
            raise NotFoundError(f"there is no run {run}", "choose one of the list")
        return folder

    def _record(self, run: str) -> Record:
        try:
            return Record.model_validate(_json(self._folder(run) / "run.json"))
        except ValidationError:  # of another program
            return Record()

    def _state(self, run: str) -> str:
        folder, record = self._folder(run), self._record(run)
        state = STATES.get(record.status, runs.RUNNING)
        # A killed run could not say so; one on a cluster goes on there.
        if state == runs.RUNNING and not record.remote and not _locked(folder / ".lock"):
            return runs.STOPPED
        return state

    def _store(self, run: str) -> StoredRun | None:
        folder = self._folder(run)
        settings = running_server(folder / ".store")
        if settings is None:
            return None
        address = settings.kuberacer_s3_endpoint or ""
        if self._stores.get(folder.name, ("",))[0] != address:
            self._stores[folder.name] = (address, StoredRun(quick_store(settings), folder.name))
        return self._stores[folder.name][1]

    def _about(self, run: str) -> dict[str, Any] | None:
        if self._state(run) == runs.RUNNING and (stored := self._store(run)):
            with contextlib.suppress(AwayError):
                return stored.about()
        path = self._folder(run) / "about.json"
        return _json(path) if path.is_file() else None


def race_type(record: Record) -> str:
    try:
        race = yaml.safe_load(record.parameters.get("race") or "{}")
        return str(race.get("RACE_TYPE") or "TIME_TRIAL")
    except (yaml.YAMLError, AttributeError, TypeError):
        return "TIME_TRIAL"


def track_outline(record: Record, folder: Path) -> dict[str, Any] | None:
    """Of the route that a run has kept, else of one of our tracks."""
    kept = folder / "track.npy"
    try:
        track = load_track(str(kept) if kept.is_file() else record.track)
    except (UserError, OSError):
        return None
    return live.outline(
        record.track or track.name, track.length, track.width, track.closed,
        center=track.center, inner=track.inner, outer=track.outer,
    )  # fmt: skip


def _stage(record: StageRecord) -> dict[str, Any]:
    seconds = record.wall_s
    if record.status == "running" and record.started:
        seconds = round(time.time() - record.started, 1)
    return {"name": record.name, "state": record.status, "seconds": seconds}


def _locked(path: Path) -> bool:
    """Whether a run holds its lock. True where the system does not tell: taking it would be in a run's way."""
    try:
        held = {line.split()[5].rpartition(":")[2] for line in Path("/proc/locks").read_text().splitlines()}
        return str(path.stat().st_ino) in held
    except (OSError, IndexError):
        return path.exists()


def _bytes(path: Path) -> bytes | None:
    try:
        return _read(path)
    except (OSError, UserError):
        return None


def _json(path: Path) -> dict[str, Any]:
    """What a file of a run says; {} for what is no JSON object, such as one that somebody cut off."""
    return live.read(_read(path)) or {}


def _read(path: Path) -> bytes:
    if path.stat().st_size > MOST_BYTES:
        raise UserError(f"{path.name} has more than {MOST_BYTES >> 20} MiB", "see what wrote it")
    return path.read_bytes()


def _pieces(path: Path, first: int, last: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(first)
        left = last - first + 1
        while left > 0 and (piece := file.read(min(PIECE, left))):
            left -= len(piece)
            yield piece
