"""The environment that rl_coach's graph manager is given: it has the spaces, and nothing else (rollouts are ours)."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from kuberacer.coach.compat import gym_names
from kuberacer.coach.metadata import ContinuousActions, ModelMetadata
from kuberacer.coach.sensors import LIDAR_METRES, Input

DEEPRACER_NAME = "DeepRacerRacetrackCustomActionSpaceEnv-v0"  # what DeepRacer's presets name


class SpacesEnv(gymnasium.Env):
    """Observation {name: array} of the inputs; the action space of the metadata, continuous ones as -1..1."""

    def __init__(self, metadata: ModelMetadata, inputs: tuple[Input, ...]):
        self.observation_space = spaces.Dict({given.name: space_of(given) for given in inputs})
        if isinstance(metadata.action_space, ContinuousActions):
            self.action_space: spaces.Space = spaces.Box(-1, 1, (2,), np.float32)
        else:
            self.action_space = spaces.Discrete(len(metadata.action_space))
        self._observation: dict[str, np.ndarray] = {given.name: np.zeros(given.shape, given.dtype) for given in inputs}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        return self._observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        return self._observation, 0.0, False, False, {}


def space_of(given: Input) -> spaces.Box:
    highest = 255 if given.dtype is np.uint8 else LIDAR_METRES[1]
    return spaces.Box(0, highest, given.shape, given.dtype)  # type: ignore[arg-type]


def register(metadata: ModelMetadata, inputs: tuple[Input, ...]) -> None:
    """Make DeepRacer's environment name stand for these spaces, for presets built from now on."""
    gym_names.OWN_ENVIRONMENTS[DEEPRACER_NAME] = lambda: SpacesEnv(metadata, inputs)
