"""Drives a reward function over a track before any training: laps on many lanes, reversed, wild, and among objects."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from kuberacer.reward.open_reward import Reward, open_reward
from kuberacer.reward.samples import Lane, drive_lap
from kuberacer.reward.source import DEFAULT_IMPORTS, DEFAULT_NAME
from kuberacer.sim.track import Track

ACROSS = np.linspace(-1.4, 1.4, 29)  # 0: the centre line, ±1: the borders
LANES = (
    *(Lane(float(across)) for across in ACROSS),
    *(Lane(across, reverse=True) for across in (-0.5, 0.0, 0.5)),
    *(Lane(across, wild=True) for across in (-1.2, -0.6, 0.0, 0.6, 1.2)),
)
OBJECT_LANES = tuple(Lane(across) for across in (-0.5, 0.0, 0.5))
OBJECTS = 6  # on the laps that try a time trial's reward among objects
ROW_M = 0.15  # one row of states each 15 cm
MIN_ROWS, MAX_ROWS = 12, 240
CALL_S = 1.2  # for all lanes at one row
LAP_S = 1.0  # for a whole lap; slow functions get fewer rows
CPU_S = 60


@dataclass(frozen=True)
class Trial:
    """What a reward function gave on a track.

    forward: (rows, ACROSS) on the lanes from right to left; reverse: (rows, 3), wild: (rows, 5), others: (rows, 3) on
    OBJECT_LANES, with other numbers of objects than the race's. call_us: of one call for one car, of plain Python,
    round trip included; of a program or a server in another language, too.
    """

    forward: np.ndarray
    reverse: np.ndarray
    wild: np.ndarray
    others: np.ndarray
    call_us: float
    limits: Sequence[str]

    @property
    def all(self) -> np.ndarray:
        parts = (self.forward, self.reverse, self.wild, self.others)
        return np.concatenate([part.ravel() for part in parts])


class RewardTrial:
    """A context manager around the process that the function runs in."""

    def __init__(
        self,
        text: str,
        track: Track,
        name: str = DEFAULT_NAME,
        allowed_imports: Iterable[str] = DEFAULT_IMPORTS,
        extra_paths: Sequence[str | Path] = (),
        objects: int = 0,
        others: Iterable[int] = (OBJECTS,),
    ):
        """objects: of the race that is trained. others: numbers of objects that the function must do with, too.

        Raises UserError with file, line and cause, as drive() does."""
        self._arguments: dict[str, Any] = {
            "name": name, "allowed_imports": frozenset(allowed_imports), "extra_paths": extra_paths,
            "timeout_s": CALL_S, "cpu_s": CPU_S, "strict_output": True,
        }  # fmt: skip
        self.text, self.track, self.objects, self.others = text, track, objects, sorted(set(others) - {objects})
        self.half_widths = _half_widths(track)
        self._process = open_reward(text, track, len(LANES), objects=objects, compile=False, **self._arguments)

    def drive(self) -> Trial:
        """The laps, with the race's objects and with the others."""
        rows = int(np.clip(self.track.length / ROW_M, MIN_ROWS, MAX_ROWS))
        _, first = next(drive_lap(self.track, LANES, rows, self.half_widths, self.objects))
        self._process(first)
        clock = time.perf_counter()
        self._process(first)
        rows = int(np.clip(LAP_S / (time.perf_counter() - clock), MIN_ROWS, rows))
        clock = time.perf_counter()
        laps = drive_lap(self.track, LANES, rows, self.half_widths, self.objects)
        rewards = np.array([self._process(values) for _, values in laps])
        call_us = (time.perf_counter() - clock) / rewards.size * 1e6
        forward, reverse, wild = np.split(rewards, [len(ACROSS), len(ACROSS) + 3], axis=1)
        others = np.concatenate([np.empty((0, len(OBJECT_LANES))), *(self._among(n, rows) for n in self.others)])
        return Trial(forward, reverse, wild, others, call_us, self._process.limits)

    def compile(self) -> Reward:
        """A process as a training has it, with the function compiled if numba takes it; the caller closes it."""
        return open_reward(self.text, self.track, len(LANES), objects=self.objects, **self._arguments)

    def _among(self, objects: int, rows: int) -> np.ndarray:
        with open_reward(
            self.text, self.track, len(OBJECT_LANES), objects=objects, compile=False, **self._arguments
        ) as process:
            laps = drive_lap(self.track, OBJECT_LANES, rows, self.half_widths, objects)
            return np.array([process(values) for _, values in laps])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.close()


def _half_widths(track: Track) -> np.ndarray:
    """(W, 2) metres from each waypoint to the left and the right border, in the route's direction."""
    route = track.route()
    center, inner, outer = route[:, :2], route[:, 2:4], route[:, 4:]
    ahead = np.gradient(center, axis=0)
    to_inner = inner - center
    inner_is_left = np.sum(ahead[:, 0] * to_inner[:, 1] - ahead[:, 1] * to_inner[:, 0]) > 0
    widths = np.stack([np.hypot(*to_inner.T), np.hypot(*(outer - center).T)], axis=1)
    return widths if inner_is_left else widths[:, ::-1]
