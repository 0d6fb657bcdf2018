"""A cheap stand-in for the simulator: cameras over a drifting line, so that a benchmark times the learner alone."""

import gymnasium
import numpy as np
from gymnasium import spaces

ACTIONS = 5
EPISODE_STEPS = 100
OFF = 1.15  # half widths of the picture's middle part


class Stripe:
    """N cameras stepped together. Actions 0..4 push the line left to right; reward 1 in the middle, 0 at the border."""

    def __init__(self, cars: int, seed: int = 0):
        self.cars = cars
        self._rng = np.random.default_rng(seed)
        self._pictures = np.full((221, 120, 160, 1), 39, np.uint8)  # every picture there is, by the line's column
        for i, column in enumerate(range(-30, 191)):
            self._pictures[i, 40:, max(0, column - 6) : max(0, column + 6)] = 225
        self._x, self._drift, self._steps = np.zeros(cars), np.zeros(cars), np.zeros(cars, int)
        self._start(np.ones(cars, bool))

    def frames(self) -> np.ndarray:
        """(N, 120, 160, 1) uint8."""
        return self._pictures[np.clip(np.rint(110 + 60 * self._x).astype(int), 0, 220)]

    def step(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(rewards, ended), each (N,); ended cameras start anew."""
        self._drift = 0.9 * self._drift + 0.02 * self._rng.standard_normal(self.cars)
        self._x = self._x + self._drift - 0.06 * (actions - 2)
        self._steps += 1
        off = np.abs(self._x) > OFF
        rewards = np.where(off, 0.0, np.maximum(0.0, 1 - np.abs(self._x)))
        ended = off | (self._steps >= EPISODE_STEPS)
        self._start(ended)
        return rewards, ended

    def _start(self, which: np.ndarray) -> None:
        self._x[which] = self._rng.uniform(-0.5, 0.5, which.sum())
        self._drift[which] = self._steps[which] = 0


class OneStripe(gymnasium.Env):
    """One camera, for rl_coach's own loop."""

    observation_space = spaces.Box(0, 255, (120, 160, 1), np.uint8)
    action_space = spaces.Discrete(ACTIONS)

    def __init__(self) -> None:
        self._stripe = Stripe(1)

    def reset(self, *, seed: int | None = None, options: dict | None = None) -> tuple[np.ndarray, dict]:
        return self._stripe.frames()[0], {}

    def step(self, action: int) -> tuple[np.ndarray, float, bool, bool, dict]:
        rewards, ended = self._stripe.step(np.array([action]))
        return self._stripe.frames()[0], float(rewards[0]), bool(ended[0]), False, {}
