"""How an episode starts and how it can end."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

from kuberacer.sim import step_kernels as kernels


class EpisodeStatus(IntEnum):
    """Why an episode ended, by DeepRacer's names."""

    in_progress = kernels.IN_PROGRESS
    lap_complete = kernels.LAP_COMPLETE
    off_track = kernels.OFF_TRACK
    crashed = kernels.CRASH
    immobilized = kernels.IMMOBILIZED
    reversed = kernels.BACKWARD
    time_up = kernels.TIME_UP


STATUS_NAMES = tuple(status.name for status in EpisodeStatus)
GOLDEN_RATIO = 0.6180339887498949
OPEN_TRACK_STARTS = 0.7  # share of an open track where episodes start: behind it hardly anything is left to drive


@dataclass(frozen=True)
class SimConfig:
    """Rules of the episodes.

    start: "advance" moves the start by `advance_fraction` of the lap every episode (training; the names in DeepRacer's
    configuration are CHANGE_START_POSITION and ROUND_ROBIN_ADVANCE_DIST), "line" starts at the line (evaluation).
    max_steps: policy steps (15 a second) until time_up. randomization: domain randomisation, drawn anew each episode.
    """

    start: Literal["advance", "line"] = "advance"
    advance_fraction: float = 0.05
    reverse_direction: bool = False
    alternate_direction: bool = False
    max_steps: int = 2000
    randomization: bool = False

    def start_fraction(self, car: int, episode: int, closed: bool) -> float:
        """Where on the lap an episode starts, 0 <= fraction < 1. Car 0 begins at the line, the others spread out."""
        if self.start == "line":
            return 0.0
        fraction = (car * GOLDEN_RATIO + episode * self.advance_fraction) % 1.0
        return fraction if closed else fraction * OPEN_TRACK_STARTS

    def direction(self, episode: int) -> int:
        """0: as the route is written, 1: the other way."""
        return int(self.reverse_direction) ^ (int(self.alternate_direction) & episode & 1)
