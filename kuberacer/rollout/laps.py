"""Deterministic laps: how well a policy drives, without exploration."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import Observation
from kuberacer.rollout.frame_stack import Observations
from kuberacer.rollout.simulator import simulator
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.track import Track

if TYPE_CHECKING:
    from kuberacer.rollout.entrants import Entrant

Policy = Callable[[Observation], np.ndarray]  # what the cars see -> actions
STARTS = 5  # the line, and more places: who completes a lap from each has not been lucky once
RULES = SimConfig()


@dataclass(frozen=True)
class Lap:
    """Tries at a lap from several places; all but `laps` and `reward` tell of the one from the start line."""

    completed: bool
    progress: float  # percent
    seconds: float  # simulated
    status: str
    laps: int  # completed, over all starts
    reward: float | None = None  # of a try, their mean; None: the laps count, not the reward

    def rank(self) -> tuple[float, float, float]:
        """More completed laps win, or the higher reward; then the shorter time from the line; then the longer way."""
        first = self.laps if self.reward is None else self.reward
        return (first, -self.seconds if self.completed else -np.inf, self.progress)


def drive_laps(
    policy: Policy,
    track: Track,
    metadata: ModelMetadata,
    stack: int,
    seed: int = 0,
    rules: SimConfig = RULES,
    starts: int = STARTS,
    reward: Callable[[ParamArrays], np.ndarray] | None = None,
    rivals: Sequence["Entrant"] = (),
) -> Lap:
    """One car from each start, without resets. The simulator is deterministic: one try says what many would.

    rules: race_rules.lap_rules; what they draw (places of objects, domain randomisation) is drawn from the seed, the
    same each time. reward: makes the laps' reward, and not their number, what counts; for `starts` cars. rivals: drive
    beside each of them."""
    # Car 0 starts on the line, the others spread over the lap.
    sim = simulator(track, starts, metadata, rules, seed, rivals=rivals)
    sim.reset()
    sim.render()
    observations = Observations(sim, metadata, stack)
    running = np.ones(starts, bool)
    never = np.zeros(starts, bool)
    laps, line, total = 0, None, 0.0
    while True:
        steering, speed = metadata.decode(policy(observations.current))
        sim.advance(steering, speed)
        if reward is not None:
            total += float(reward(sim.values)[running].sum())
        ended = running & (sim.terminated | sim.truncated)
        running &= ~ended
        for car in np.flatnonzero(ended).tolist():
            status = sim.status_name(car)
            laps += status == "lap_complete"
            if car == 0:
                line = (status, float(sim.values.progress[0]), float(sim.values.sim_time[0]))
        if line is not None and not running.any():
            status, progress, seconds = line
            mean = None if reward is None else total / starts
            return Lap(status == "lap_complete", progress, seconds, status, laps, mean)
        sim.render(running)
        observations.push(never)
