"""DeepRacer's `deepracer_checkpoints.json`: which checkpoint is the best and which the last."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from kuberacer.formats.write import write_atomically


@dataclass(frozen=True)
class CheckpointEntry:
    name: str  # "N_Step-M.ckpt"
    avg_eval_metric: float | None  # percent of the lap
    time_stamp: float  # seconds since the epoch


@dataclass(frozen=True)
class Checkpoints:
    best_checkpoint: CheckpointEntry
    last_checkpoint: CheckpointEntry

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    def write(self, path: Path) -> None:
        write_atomically(path, self.to_json())

    @classmethod
    def parse(cls, text: str) -> "Checkpoints":
        """Raises KeyError or TypeError when keys are missing or unknown."""
        document = json.loads(text)
        best, last = document["best_checkpoint"], document["last_checkpoint"]
        return cls(CheckpointEntry(**best), CheckpointEntry(**last))
