"""The donkey car's reward by the cross-track error: a parabola over the road, and a penalty where the episode ends.

A reward is a function (reward, done, info) -> number, as gym-donkeycar's users write it: of what the simulator's own
reward was, whether the car is off the road or has hit something, and where it is (see DonkeyCars).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np


def reward_cte(cte: Any, scale: float, max_cte: float) -> Any:
    """scale on the centre line, 0 at ±max_cte; of a number, or of an array."""
    return scale * (1.0 - (np.abs(cte) / max_cte) ** 2)


@dataclass(frozen=True)
class CteReward:
    """It takes one car's values, or arrays of many cars'."""

    scale: float
    crash: float
    max_cte: float

    def __call__(self, reward: Any, done: Any, info: dict[str, Any]) -> Any:
        return np.where(done, self.crash, reward_cte(info["cte"], self.scale, self.max_cte))


def simulators_own(cte: np.ndarray, speed: np.ndarray, hit: np.ndarray, done: np.ndarray, max_cte: float) -> np.ndarray:
    """What gym-donkeycar 1.0.13 gives by itself: fast and near the centre line is best, left of it even better."""
    going = np.where(hit != "none", -2.0, 1.0 - cte / max_cte * speed)
    return np.where(done | (cte > max_cte), -1.0, going)
