"""One stretch of play of some cars, as a learner takes it: [time, car] arrays without a gap in time."""

from dataclasses import dataclass

import numpy as np

from kuberacer.coach.sensors import Observation


@dataclass
class Segment:
    """seen: the observations, arrays (T + 1, M, …), the last row being what the cars saw after the last step; the other
    arrays (T, M, …). finals: what was seen last in cut episodes, (step, cars, observation) each. What goes on after the
    last step is bootstrapped from the last observation."""

    seen: Observation
    finals: list[tuple[int, np.ndarray, Observation]]
    actions: np.ndarray
    policy: np.ndarray
    deviation: np.ndarray | None
    rewards: np.ndarray
    terminated: np.ndarray
    truncated: np.ndarray

    @property
    def steps(self) -> int:
        return self.rewards.size

    @property
    def ended(self) -> np.ndarray:
        """(T, M) bool: an episode ended with this step."""
        return self.terminated | self.truncated
