"""A training's history: one JSON line an iteration, for plots, reports and whoever wants the numbers."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kuberacer.formats.write import write_atomically


@dataclass(frozen=True)
class HistoryRow:
    """One iteration. Means are over the episodes that ended in it (None: none did)."""

    iteration: int
    seconds: float  # of training so far
    steps: int  # environment steps so far
    episodes: int  # finished so far
    episodes_here: int
    mean_return: float | None
    completion: float | None  # percent of the lap, mean
    laps: int  # training episodes that completed the lap
    lap_completed: bool  # the deterministic lap after this iteration
    lap_progress: float  # percent
    lap_seconds: float  # simulated
    steps_per_second: float  # over the training so far
    play_seconds: float  # with rollout workers: waiting for what they play
    learn_seconds: float
    lap_wall_seconds: float  # driving the deterministic laps; 0 where an evaluator drives them meanwhile
    learning: dict[str, float] = field(default_factory=dict)  # loss, kl, entropy …, as far as the learner defines them
    freeze_seconds: float = 0.0  # writing the frozen graph; with rollout workers: and publishing the policy
    save_seconds: float = 0.0  # writing trace and checkpoint
    wait_seconds: float = 0.0  # waiting until the checkpoint before is in the object store


def append(path: Path, row: HistoryRow) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(row)) + "\n")


def write(path: Path, rows: Iterable[HistoryRow]) -> None:
    """Write all rows anew."""
    write_atomically(path, "".join(json.dumps(asdict(row)) + "\n" for row in rows))


def read(path: Path) -> list[HistoryRow]:
    """Rows in order. Raises KeyError or TypeError for a row with other keys."""
    return [HistoryRow(**row) for row in _lines(path.read_text(encoding="utf-8").splitlines())]


def _lines(lines: Iterable[str]) -> Iterable[dict[str, Any]]:
    return (json.loads(line) for line in lines if line.strip())
