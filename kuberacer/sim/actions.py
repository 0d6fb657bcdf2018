"""Actions of the Gymnasium environments: DeepRacer's action spaces as Gymnasium spaces."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from gymnasium import Space, spaces

DEFAULT_ACTIONS = tuple(
    {"steering_angle": steering, "speed": speed} for speed in (1.0, 2.0) for steering in (-30.0, -15.0, 0.0, 15.0, 30.0)
)
ActionSpec = Sequence[Mapping[str, float]] | Mapping[str, Mapping[str, float]]


class Actions:
    """Discrete from a list of {"steering_angle": degrees, "speed": m/s}; continuous, an action being the two numbers,
    from {"steering_angle": {"low": …, "high": …}, "speed": {"low": …, "high": …}}."""

    def __init__(self, spec: ActionSpec):
        self.space: Space[Any]
        self.table: np.ndarray | None = None  # (actions, 2) of a discrete space
        if isinstance(spec, Mapping):
            bounds = [[spec[key][end] for key in ("steering_angle", "speed")] for end in ("low", "high")]
            low, high = np.array(bounds, dtype=np.float32)
            self.space = spaces.Box(low, high, dtype=np.float32)
        else:
            self.table = np.array([[action["steering_angle"], action["speed"]] for action in spec], dtype=np.float64)
            self.space = spaces.Discrete(len(self.table))

    def decode(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Actions of n cars, (n,) indices or (n, 2), as steering in degrees and speed in m/s, (n,) each."""
        rows = np.asarray(actions) if self.table is None else self.table[actions]
        return rows[:, 0], rows[:, 1]
