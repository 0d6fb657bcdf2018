"""Deterministic laps from the start line: how well a policy drives, without exploration."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.rollout.frame_stack import FrameStack
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track

Policy = Callable[[np.ndarray], np.ndarray]  # observations (cars, height, width, depth) uint8 -> actions


@dataclass(frozen=True)
class Lap:
    """One try at a lap, ended by the line, by leaving the track or by the clock."""

    completed: bool
    progress: float  # percent
    seconds: float  # simulated
    status: str

    def better_than(self, other: "Lap | None") -> bool:
        """A completed lap beats an uncompleted one; then the shorter time; then the longer way."""
        if other is None:
            return True
        return self.rank() > other.rank()

    def rank(self) -> tuple[bool, float, float]:
        return (self.completed, -self.seconds if self.completed else 0.0, self.progress)


def drive_lap(
    policy: Policy, track: Track, metadata: ModelMetadata, stack: int, config: SimConfig, seed: int = 0
) -> Lap:
    """One car, from the start line, without resets. The simulator is deterministic, so one lap says what many would."""
    sim = RaceSim(track, 1, seed=seed, config=config)
    sim.reset()
    sim.render()
    frames = FrameStack(sim.frames, stack)
    never = np.zeros(1, bool)
    while True:
        steering, speed = metadata.decode(policy(frames.observations))
        sim.advance(steering, speed)
        if sim.terminated[0] or sim.truncated[0]:
            status = sim.status_name(0)
            return Lap(status == "lap_complete", float(sim.values.progress[0]), float(sim.values.sim_time[0]), status)
        sim.render()
        frames.push(sim.frames, never)
