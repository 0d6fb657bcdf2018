"""How an episode starts and how it can end."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Literal

import numpy as np

from kuberacer.sim import step_kernels as kernels
from kuberacer.sim.scene import Scene


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
    start_offset: the share of the lap that all starts lie further on.
    max_steps: policy steps (15 a second) until time_up. randomization: domain randomisation, drawn anew each episode.
    """

    start: Literal["advance", "line"] = "advance"
    advance_fraction: float = 0.05
    reverse_direction: bool = False
    alternate_direction: bool = False
    max_steps: int = 2000
    randomization: bool = False
    start_offset: float = 0.0
    scene: Scene = Scene()  # noqa: RUF009  it is frozen

    def start_fractions(self, cars: np.ndarray, episodes: np.ndarray, closed: bool) -> np.ndarray:
        """Where on the lap the episodes (n,) of cars (n,) start, 0 <= fraction < 1.

        Car 0 begins at the line, the others spread over the lap."""
        if self.start == "line":
            return np.full(len(cars), self.start_offset % 1.0)
        fractions = (cars * GOLDEN_RATIO + episodes * self.advance_fraction + self.start_offset) % 1.0
        return fractions if closed else fractions * OPEN_TRACK_STARTS

    def directions(self, episodes: np.ndarray) -> np.ndarray:
        """0: as the route is written, 1: the other way."""
        return int(self.reverse_direction) ^ (int(self.alternate_direction) & episodes & 1)
