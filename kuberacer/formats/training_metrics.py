"""DeepRacer's `TrainingMetrics.json`: an entry for each training episode and each evaluation in between."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from kuberacer.formats.status import LABELS
from kuberacer.formats.write import write_atomically

VERSION = 2.0


@dataclass(frozen=True)
class TrainingMetric:
    """episode: from 1; an evaluation has that of the last training episode before it. trial: from 1 in each iteration.

    Times: milliseconds; metric_time and start_time since the epoch (wall clock), the elapsed one simulated."""

    reward_score: float
    metric_time: int
    start_time: int
    elapsed_time_in_milliseconds: int
    episode: int
    trial: int
    phase: str  # training or evaluation
    completion_percentage: int
    episode_status: str

    @classmethod
    def of(
        cls,
        phase: str,
        episode: int,
        trial: int,
        reward: float,
        started: float,
        sim_seconds: float,
        progress: float,
        status: str,
    ) -> "TrainingMetric":
        """started: wall clock, seconds since the epoch; status: a name as in sim traces."""
        start, elapsed = round(1000 * started), round(1000 * sim_seconds)
        return cls(
            round(reward, 4), start + elapsed, start, elapsed, episode, trial, phase, int(progress), LABELS[status]
        )


@dataclass
class TrainingMetrics:
    """The whole file."""

    metrics: list[TrainingMetric] = field(default_factory=list)
    best_model_metric: str = "progress"  # or reward

    def write(self, path: Path) -> None:
        document = {
            "metrics": [asdict(metric) for metric in self.metrics],
            "version": VERSION,
            "best_model_metric": self.best_model_metric,
        }
        write_atomically(path, json.dumps(document) + "\n")

    @classmethod
    def read(cls, path: Path) -> "TrainingMetrics":
        """Raises KeyError or TypeError when an entry has other keys."""
        document = json.loads(path.read_text(encoding="utf-8"))
        metrics = [TrainingMetric(**entry) for entry in document["metrics"]]
        return cls(metrics, document.get("best_model_metric", "progress"))
