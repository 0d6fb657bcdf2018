"""What became of a car's trial, and the rules by which a trial is judged."""

import math
from dataclasses import dataclass, field

from kuberacer.formats.evaluation_metrics import EvaluationMetric
from kuberacer.formats.simtrace import TraceRow
from kuberacer.formats.status import LABELS
from kuberacer.sim.step_kernels import POLICY_STEP

# What ends an episode of training is an incident of a trial: it costs a penalty and a reset.
INCIDENTS = ("off_track", "crashed", "immobilized", "reversed")


@dataclass(frozen=True)
class Rules:
    """Of an evaluation. continuous: its trials are the laps of one race, driven without a standing start.

    Penalties in seconds, for which the car stands at its place. resets: of a trial (of the whole race where it is
    continuous); one more incident ends it. reset_behind: metres behind an obstacle that was hit.
    """

    trials: int = 3
    off_track_penalty: float = 5.0
    collision_penalty: float = 5.0
    resets: int = 10
    continuous: bool = False
    reset_behind: float = 1.0

    def pause(self, status: str) -> int:
        """Steps for which an incident stops the car: at least its penalty."""
        seconds = self.collision_penalty if status == "crashed" else self.off_track_penalty
        return math.ceil(seconds / POLICY_STEP - 1e-6)


@dataclass
class Trial:
    """One car's trial. penalties: seconds that it stood, by the incident's kind."""

    number: int  # from 1
    began: float = 0.0  # by the car's clock, seconds
    rows: list[TraceRow] = field(default_factory=list)
    incidents: dict[str, int] = field(default_factory=lambda: dict.fromkeys(INCIDENTS, 0))
    penalties: dict[str, float] = field(default_factory=lambda: dict.fromkeys(INCIDENTS, 0.0))
    resets: int = 0
    status: str = "in_progress"

    @property
    def completed(self) -> bool:
        return self.status == "lap_complete"

    @property
    def seconds(self) -> float:
        """Simulated time with penalties."""
        return self.rows[-1].tstamp - self.began

    @property
    def penalty_seconds(self) -> float:
        return sum(self.penalties.values())

    @property
    def progress(self) -> float:
        return self.rows[-1].progress

    def metric(self, start_ms: int) -> EvaluationMetric:
        """DeepRacer's entry. start_ms: when it began by the race's clock, on which trials follow one another."""
        elapsed = round(1000 * self.seconds)
        return EvaluationMetric(
            completion_percentage=100 if self.completed else min(99, int(self.progress)),
            metric_time=start_ms + elapsed,
            start_time=start_ms,
            elapsed_time_in_milliseconds=elapsed,
            episode_status=LABELS[self.status],
            crash_count=self.incidents["crashed"],
            immobilized_count=self.incidents["immobilized"],
            off_track_count=self.incidents["off_track"],
            reversed_count=self.incidents["reversed"],
            reset_count=self.resets,
            trial=self.number,
        )


def metrics(trials: list[Trial]) -> list[EvaluationMetric]:
    """The evaluation metrics file's entries of one car."""
    start, found = 0, []
    for trial in trials:
        found.append(trial.metric(start))
        start = found[-1].metric_time
    return found
