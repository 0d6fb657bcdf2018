"""One stretch of play of some cars, as a learner takes it: [time, car] arrays without a gap in time."""

from dataclasses import dataclass

import numpy as np


@dataclass
class Segment:
    """frames: (T + 1, M, 120, 160, depth) uint8, the last row being what the cars saw after the last step; the other
    arrays (T, M, …). finals: last frames of cut episodes, (step, cars, frames) each. What goes on after the last step
    is bootstrapped from the last frames."""

    frames: np.ndarray
    finals: list[tuple[int, np.ndarray, np.ndarray]]
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
