"""rl_coach's exploration policies for many cars at once: the same choices from the same random numbers."""

from typing import Any

import numpy as np
from rl_coach.exploration_policies.additive_noise import AdditiveNoise
from rl_coach.exploration_policies.categorical import Categorical
from rl_coach.exploration_policies.e_greedy import EGreedy
from rl_coach.exploration_policies.parameter_noise import ParameterNoise
from rl_coach.spaces import BoxActionSpace, DiscreteActionSpace

from kuberacer.coach.algorithms import ALGORITHMS
from kuberacer.coach.choose import additive_noise, categorical, e_greedy
from kuberacer.errors import UserError

# What coach.algorithms calls them: (rl_coach's policy, the class of its parameters).
KINDS = {
    "categorical": (Categorical, "CategoricalParameters"),
    "e-greedy": (EGreedy, "EGreedyParameters"),
    "additive noise": (AdditiveNoise, "AdditiveNoiseParameters"),
    "noisy layers": (ParameterNoise, "ParameterNoiseParameters"),
}


def check(parameters: Any, algorithm: str, continuous: bool) -> None:
    """parameters: rl_coach's, of an agent's exploration. Raises UserError when the algorithm does not explore so."""
    if isinstance(parameters, dict):  # by the kind of actions
        parameters = parameters[BoxActionSpace if continuous else DiscreteActionSpace]
    allowed = ALGORITHMS[algorithm].exploration[continuous]
    given = parameters.path.partition(":")[2]
    if given not in [KINDS[name][0].__name__ for name in allowed]:
        actions = "continuous" if continuous else "discrete"
        raise UserError(
            f"preset: {algorithm} with {actions} actions does not explore with {given}",
            f"use {' or '.join(KINDS[name][1] for name in allowed)}",
        )


class Exploration:
    """rl_coach's exploration policy object of an agent (kind, schedule), applied to N cars."""

    def __init__(self, policy: Any, actions: int, rng: np.random.Generator):
        """policy: of one of KINDS. actions: number of discrete actions, or of continuous axes."""
        self._policy = policy
        self._actions = actions
        self._rng = rng
        self.steps = 0  # taken of the schedule: one a car and act, as in rl_coach

    def choose(self, values: np.ndarray, deviation: np.ndarray | None = None) -> np.ndarray:
        """Actions from what the network says of N cars: probabilities or values (N, actions), or mean and deviation."""
        cars = len(values)
        if isinstance(self._policy, Categorical):
            return categorical(values, self._rng.random(cars))
        if isinstance(self._policy, ParameterNoise):  # it is in the values
            return values.argmax(axis=1)
        if isinstance(self._policy, EGreedy):
            random = self._rng.integers(self._actions, size=cars)
            return e_greedy(values, self._advance(cars), self._rng.random(cars), random)
        if deviation is None:
            deviation = self._advance(cars)[:, None] * self._scale
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
    def _scale(self) -> float:
        """Of additive noise without a deviation from the network: the width of the action space, the same for both
        axes, or 1."""
        space = self._policy.action_space
        return float((space.high - space.low)[0]) if self._policy.noise_as_percentage_from_action_space else 1.0

    @property
    def kind(self) -> str:
        """As kuberacer.coach.choose calls it."""
        names = {Categorical: "categorical", EGreedy: "epsilon", AdditiveNoise: "gaussian", ParameterNoise: "epsilon"}
        return names[type(self._policy)]

    @property
    def schedules_epsilon(self) -> bool:
        return isinstance(self._policy, EGreedy)

    @property
    def value(self) -> float:
        """The share of random actions now, or the deviation of additive noise; 0 where there is no such thing."""
        if isinstance(self._policy, EGreedy):
            return float(self._policy.epsilon_schedule.current_value)
        if isinstance(self._policy, AdditiveNoise):
            return float(self._policy.noise_schedule.current_value) * self._scale
        return 0.0

    def played_elsewhere(self, count: int) -> None:
        """Others have taken `count` steps with this exploration."""
        self._advance(count)
