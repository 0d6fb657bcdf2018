"""What came of an evaluation, as JSON: every car's trials on every track, and the order in which the cars came in.

Besides DeepRacer's metrics file, which knows one car on one track, without the time that each kind of penalty took.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from kuberacer.formats.write import write_atomically

VERSION = 1
RESULT, METRICS = "race_result.json", "metrics"  # in the folder that an evaluation gives


@dataclass(frozen=True)
class TrialResult:
    """Seconds are simulated. penalties: seconds that the car stood, by the incident's kind; incidents: how many."""

    trial: int  # from 1
    progress: float  # percent of the lap
    status: str
    seconds: float  # penalties included
    penalties: dict[str, float]
    incidents: dict[str, int]
    resets: int

    @property
    def completed(self) -> bool:
        return self.status == "lap_complete"

    @property
    def penalty_seconds(self) -> float:
        return sum(self.penalties.values())


@dataclass(frozen=True)
class CarResult:
    """One car on one track. position: 1 is the winner. gap_s: behind the winner, None with fewer laps than it."""

    name: str
    color: str
    model: str
    trials: list[TrialResult]
    position: int = 1
    gap_s: float | None = 0.0

    @property
    def laps(self) -> int:
        return sum(trial.completed for trial in self.trials)

    @property
    def seconds(self) -> float:
        return sum(trial.seconds for trial in self.trials)

    @property
    def best(self) -> TrialResult | None:
        """The quickest completed lap."""
        return min((trial for trial in self.trials if trial.completed), key=lambda t: t.seconds, default=None)

    @property
    def penalty_seconds(self) -> float:
        return sum(trial.penalty_seconds for trial in self.trials)

    def rank(self) -> tuple[int, float, float]:
        """Less is better: more laps, then the shorter time, penalties included, then the longer way."""
        way = sum(trial.progress for trial in self.trials)
        return (-self.laps, self.seconds if self.laps else 0.0, -way)


@dataclass(frozen=True)
class TrackResult:
    """The cars on one track, as they were entered; the first is the model that was evaluated.

    fastest_s: the quickest lap that the simulator's limits allow, from a standing start; None where it is not known."""

    track: str
    length_m: float
    cars: list[CarResult]
    fastest_s: float | None = None

    def standings(self) -> list[CarResult]:
        """The cars by their position."""
        return sorted(self.cars, key=lambda car: car.position)


@dataclass(frozen=True)
class RaceResult:
    """racer: whose model was evaluated; "" where nobody said."""

    race_type: str
    racer: str
    continuous: bool
    checkpoint: str
    leaderboard_name: str
    leaderboard_type: str
    tracks: list[TrackResult]
    version: int = VERSION

    def write(self, path: Path) -> None:
        write_atomically(path, json.dumps(asdict(self), indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Self:
        """Raises KeyError or TypeError when entries have other keys."""
        return cls.of(json.loads(path.read_text(encoding="utf-8")))

    @classmethod
    def of(cls, data: dict[str, Any]) -> Self:
        def car(entry: dict[str, Any]) -> CarResult:
            return CarResult(**{**entry, "trials": [TrialResult(**trial) for trial in entry["trials"]]})

        tracks = [TrackResult(**{**track, "cars": [car(entry) for entry in track["cars"]]}) for track in data["tracks"]]
        return cls(**{**data, "tracks": tracks})


def classify(cars: list[CarResult]) -> list[CarResult]:
    """The same cars in the same order, with position and gap. Equal cars share a position."""
    ranks = [car.rank() for car in cars]
    winner = cars[ranks.index(min(ranks))]
    found = []
    for car, rank in zip(cars, ranks, strict=True):
        gap = car.seconds - winner.seconds if car.laps == winner.laps and car.laps else None
        if car is winner:
            gap = 0.0
        position = 1 + sum(other < rank for other in ranks)
        found.append(CarResult(car.name, car.color, car.model, car.trials, position, gap))
    return found
