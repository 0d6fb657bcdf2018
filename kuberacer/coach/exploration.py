"""rl_coach's exploration policies for many cars at once: the same choices from the same random numbers."""

from typing import Any

import numpy as np
from rl_coach.exploration_policies.additive_noise import AdditiveNoise
from rl_coach.exploration_policies.categorical import Categorical
from rl_coach.exploration_policies.e_greedy import EGreedy

from kuberacer.coach.choose import additive_noise, categorical, e_greedy
from kuberacer.errors import UserError


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

    @property
    def kind(self) -> str:
        """As kuberacer.coach.choose calls it."""
        names = {Categorical: "categorical", EGreedy: "epsilon", AdditiveNoise: "gaussian"}
        return names[type(self._policy)]

    @property
    def value(self) -> float:
        """The share of random actions now; 0 where there is no such thing."""
        return float(self._policy.epsilon_schedule.current_value) if isinstance(self._policy, EGreedy) else 0.0

    def played_elsewhere(self, count: int) -> None:
        """Others have taken `count` steps with this exploration."""
        if isinstance(self._policy, EGreedy):
            self._advance(count)
