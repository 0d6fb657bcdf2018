"""Deterministic laps: how well a policy drives, without exploration."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.rollout.frame_stack import FrameStack
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track

Policy = Callable[[np.ndarray], np.ndarray]  # observations (cars, height, width, depth) uint8 -> actions
STARTS = 3  # the line, and two more places: who completes a lap from each has not been lucky once


@dataclass(frozen=True)
class Lap:
    """Tries at a lap from STARTS places; all but `laps` tell of the one from the start line."""

    completed: bool
    progress: float  # percent
    seconds: float  # simulated
    status: str
    laps: int  # completed, over all starts

    def better_than(self, other: "Lap | None") -> bool:
        """More completed laps win; then the shorter time from the line; then the longer way."""
        return other is None or self.rank() > other.rank()

    def rank(self) -> tuple[int, float, float]:
        return (self.laps, -self.seconds if self.completed else -np.inf, self.progress)


def drive_laps(policy: Policy, track: Track, metadata: ModelMetadata, stack: int, seed: int = 0) -> Lap:
    """One car from each start, without resets. The simulator is deterministic: one try says what many would."""
    # A training's first episodes start where it takes: car 0 on the line, the others spread over the lap.
    sim = RaceSim(track, STARTS, seed=seed, config=SimConfig())
    sim.reset()
    sim.render()
    frames = FrameStack(sim.frames, stack)
    running = np.ones(STARTS, bool)
    never = np.zeros(STARTS, bool)
    laps, line = 0, None
    while True:
        steering, speed = metadata.decode(policy(frames.observations))
        sim.advance(steering, speed)
        ended = running & (sim.terminated | sim.truncated)
        running &= ~ended
        for car in np.flatnonzero(ended).tolist():
            status = sim.status_name(car)
            laps += status == "lap_complete"
            if car == 0:
                line = (status, float(sim.values.progress[0]), float(sim.values.sim_time[0]))
        if line is not None and not running.any():
            status, progress, seconds = line
            return Lap(status == "lap_complete", progress, seconds, status, laps)
        sim.render(running)
        frames.push(sim.frames, never)
