"""DeepRacer's evaluation metrics: an entry a trial."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from kuberacer.formats.write import write_atomically


@dataclass(frozen=True)
class EvaluationMetric:
    """Times in milliseconds of the race's own clock, which starts at 0 with the first trial; elapsed with penalties."""

    completion_percentage: int
    metric_time: int
    start_time: int
    elapsed_time_in_milliseconds: int
    episode_status: str  # a label: "Lap complete", "Off track", …
    crash_count: int
    immobilized_count: int
    off_track_count: int
    reversed_count: int
    reset_count: int
    trial: int

    @property
    def completed(self) -> bool:
        return self.completion_percentage >= 100


def write_evaluation(path: Path, metrics: list[EvaluationMetric]) -> None:
    write_atomically(path, json.dumps({"metrics": [asdict(metric) for metric in metrics], "version": 1.0}) + "\n")


def read_evaluation(path: Path) -> list[EvaluationMetric]:
    """Raises KeyError or TypeError when an entry has other keys."""
    return [EvaluationMetric(**entry) for entry in json.loads(path.read_text(encoding="utf-8"))["metrics"]]
