"""The environment that rl_coach's graph manager is given: it has the spaces, and nothing else (rollouts are ours)."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from kuberacer.coach.compat import gym_names
from kuberacer.coach.metadata import ContinuousActions, ModelMetadata

FRAME = (120, 160)  # rows, columns
DEEPRACER_NAME = "DeepRacerRacetrackCustomActionSpaceEnv-v0"  # what DeepRacer's presets name


class SpacesEnv(gymnasium.Env):
    """Observation {name: uint8 frame of `shape`}; the action space of the metadata, continuous ones as -1..1."""

    def __init__(self, metadata: ModelMetadata, name: str, shape: tuple[int, ...]):
        self.observation_space = spaces.Dict({name: spaces.Box(0, 255, shape, np.uint8)})
        if isinstance(metadata.action_space, ContinuousActions):
            self.action_space: spaces.Space = spaces.Box(-1, 1, (2,), np.float32)
        else:
            self.action_space = spaces.Discrete(len(metadata.action_space))
        self._frame = {name: np.zeros(shape, np.uint8)}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        return self._frame, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        return self._frame, 0.0, False, False, {}


def register(metadata: ModelMetadata, name: str, shape: tuple[int, ...]) -> None:
    """Make DeepRacer's environment name stand for these spaces, for presets built from now on."""
    gym_names.OWN_ENVIRONMENTS[DEEPRACER_NAME] = lambda: SpacesEnv(metadata, name, shape)
