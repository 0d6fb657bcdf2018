"""rl_coach's exploration policies for many cars at once: the same choices from the same random numbers."""

from typing import Any

import numpy as np
from rl_coach.exploration_policies.additive_noise import AdditiveNoise
from rl_coach.exploration_policies.categorical import Categorical
from rl_coach.exploration_policies.e_greedy import EGreedy

from kuberacer.errors import UserError


def categorical(probabilities: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """A draw from each row of (N, actions), as np.random.choice(actions, p=row) makes it of a uniform number; (N,)."""
    cumulated = np.cumsum(probabilities, axis=1, dtype=np.float64)
    return (cumulated / cumulated[:, -1:] <= uniforms[:, None]).sum(axis=1)


def e_greedy(values: np.ndarray, epsilons: np.ndarray, uniforms: np.ndarray, random: np.ndarray) -> np.ndarray:
    """The best action of each row of (N, actions), or `random`'s where the uniform number is below epsilon."""
    return np.where(uniforms < epsilons, random, values.argmax(axis=1))


def additive_noise(mean: np.ndarray, deviation: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """mean + deviation · normal for (N, axes), as np.random.normal(mean, deviation) makes it; float32."""
    return (mean.astype(np.float64) + deviation.astype(np.float64) * normals).astype(np.float32)


class Exploration:
    """rl_coach's exploration policy object of an agent (kind, schedule), applied to N cars."""

    def __init__(self, policy: Any, actions: int, rng: np.random.Generator):
        """actions: number of discrete actions, or of continuous axes. Raises UserError for another kind of policy."""
        if type(policy) not in (Categorical, EGreedy, AdditiveNoise):
            raise UserError(
                f"preset: the exploration policy {type(policy).__name__} is not supported",
                "use CategoricalParameters, EGreedyParameters or AdditiveNoiseParameters",
            )
        self._policy = policy
        self._actions = actions
        self._rng = rng
        self.steps = 0  # taken of the schedule: one a car and act, as in rl_coach

    def choose(self, values: np.ndarray, deviation: np.ndarray | None = None) -> np.ndarray:
        """Actions from what the network says of N cars: probabilities or values (N, actions), or mean and deviation."""
        cars = len(values)
        if isinstance(self._policy, Categorical):
            return categorical(values, self._rng.random(cars))
        if isinstance(self._policy, EGreedy):
            random = self._rng.integers(self._actions, size=cars)
            return e_greedy(values, self._advance(cars), self._rng.random(cars), random)
        if deviation is None:
            space = self._policy.action_space
            scale = space.high - space.low if self._policy.noise_as_percentage_from_action_space else 1.0
            deviation = self._advance(cars)[:, None] * scale
        return additive_noise(values, deviation, self._rng.standard_normal(values.shape))

    def skip_to(self, steps: int) -> None:
        """Bring a fresh schedule to where it was after `steps`."""
        self._advance(steps - self.steps)

    def _advance(self, count: int) -> np.ndarray:
        """The schedule's values for the next `count` steps."""
        greedy = isinstance(self._policy, EGreedy)
        schedule = self._policy.epsilon_schedule if greedy else getattr(self._policy, "noise_schedule", None)
        values = np.empty(count)
        if schedule is not None:
            for i in range(count):
                values[i] = schedule.current_value
                schedule.step()
        self.steps += count
        return values
