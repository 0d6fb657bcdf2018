"""What the server shows of runs, whichever place they come from."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from kuberacer.formats.live import to_value
from kuberacer.formats.race_result import RaceResult
from kuberacer.store.client import NotFoundError
from kuberacer.watch.log_tail import LogTail

RUNNING, FINISHED, ENDED_BADLY, STOPPED = "running", "finished", "failed", "stopped"
LAP = ("lap_completed", "lap_seconds")


@dataclass(frozen=True)
class File:
    """A run's file. modified: seconds since the epoch."""

    path: str
    size: int
    modified: float


class Runs(Protocol):
    """A folder's or a bucket's runs. A run that is not there is a NotFoundError, a store that is away an AwayError.

    Every method may take as long as a store takes to answer: call it in a thread."""

    def names(self) -> list[str]:
        """All of them, the newest first."""

    def entry(self, run: str) -> dict[str, Any]:
        """What the list of runs says of one (docs/watch.md)."""

    def detail(self, run: str) -> dict[str, Any]:
        """What its page says besides: track_outline, evaluation, settings, error."""

    def stages(self, run: str) -> list[dict[str, Any]]:
        """[{name, state, seconds}] in their order."""

    def history(self, run: str) -> list[dict[str, Any]]:
        """Rows of kuberacer.report.history, oldest first."""

    def now(self, run: str) -> dict[str, Any] | None:
        """The moment of a run that goes on (kuberacer.formats.live), which is asked to tell more of it."""

    def log(self, run: str, tail: LogTail) -> tuple[list[str], LogTail]:
        """The lines of its log since `tail`."""

    def files(self, run: str) -> list[File]: ...

    def open(self, run: str, path: str) -> File: ...

    def read(self, run: str, path: str, first: int, last: int) -> Iterator[bytes]:
        """The bytes from first to last, both included."""

    def cards(self) -> Iterator[bytes]:
        """The model cards of all that were published."""


def listed(source: Runs) -> list[dict[str, Any]]:
    """The entries of all runs, the newest first."""
    found = []
    for name in source.names():
        with contextlib.suppress(NotFoundError):  # removed a moment ago
            found.append(source.entry(name))
    return found


def trials(result: bytes | None) -> list[dict[str, Any]]:
    """The trials of the model that was evaluated, from its race_result.json; [] where none can be read."""
    try:
        race = RaceResult.of(to_value(result or b"{}"))
        return [
            {
                "track": track.track, "trial": trial.trial, "status": trial.status, "progress": trial.progress,
                "seconds": trial.seconds, "resets": trial.resets, "penalty": trial.penalty_seconds,
            }
            for track in race.tracks for trial in track.cars[0].trials
        ]  # fmt: skip
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return []


def figures(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A run's numbers by its history."""
    last = rows[-1] if rows else {}
    laps = [row["lap_seconds"] for row in rows if row.get("lap_completed") and row.get("lap_seconds")]
    return {
        "iterations": last.get("iteration", 0),
        "env_steps": last.get("steps", 0),
        "mean_return": last.get("mean_return"),
        "completion": last.get("completion"),
        "best_lap": min(laps, default=None),
    }


def table(rows: list[dict[str, Any]]) -> tuple[list[str], list[list[Any]]]:
    """(columns, rows) of a history; what the learner reports is `learning.<name>`."""
    flat = [{**row, **{f"learning.{k}": v for k, v in (row.get("learning") or {}).items()}} for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row if name != "learning"))
    return columns, [[row.get(name) for name in columns] for row in flat]
