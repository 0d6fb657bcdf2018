"""The environment that rl_coach's graph manager is given: it has the spaces, and nothing else (rollouts are ours)."""

from typing import Any

import gymnasium
import numpy as np
from gymnasium import spaces

from kuberacer.coach.compat import gym_names
from kuberacer.coach.sensors import Input
from kuberacer.coach.spaces import Spaces

DEEPRACER_NAME = "DeepRacerRacetrackCustomActionSpaceEnv-v0"  # what DeepRacer's presets name


class SpacesEnv(gymnasium.Env):
    """Observation {name: array} of the inputs; the action space of the metadata, continuous ones as -1..1."""

    def __init__(self, metadata: Spaces, inputs: tuple[Input, ...]):
        self.observation_space = spaces.Dict({given.name: space_of(given) for given in inputs})
        if metadata.continuous:
            self.action_space: spaces.Space = spaces.Box(-1, 1, (metadata.actions,), np.float32)
        else:
            self.action_space = spaces.Discrete(metadata.actions)
        self._observation: dict[str, np.ndarray] = {given.name: np.zeros(given.shape, given.dtype) for given in inputs}

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict]:
        super().reset(seed=seed)
        return self._observation, {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict]:
        return self._observation, 0.0, False, False, {}


def space_of(given: Input) -> spaces.Box:
    """rl_coach asks for bounds and makes nothing of them."""
    if given.dtype is np.uint8:
        return spaces.Box(0, 255, given.shape, np.uint8)
    return spaces.Box(-np.inf, np.inf, given.shape, np.float32)


def register(metadata: Spaces, inputs: tuple[Input, ...]) -> None:
    """Make DeepRacer's environment name stand for these spaces, for presets built from now on."""
    gym_names.OWN_ENVIRONMENTS[DEEPRACER_NAME] = lambda: SpacesEnv(metadata, inputs)
