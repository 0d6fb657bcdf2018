"""Replay memory: what was seen is stored once, frames as bytes, in one ring; transitions are index arithmetic on it."""

from dataclasses import dataclass

import numpy as np

from kuberacer.coach.priorities import Priorities
from kuberacer.coach.sensors import Input, Observation, arrays, joined


@dataclass(frozen=True)
class Batch:
    """M transitions. seen, following: before the first and after the last of their steps. actions: (M, …).

    rewards: (M,), discounted sums over the steps. bootstrap: (M,), what the value of `following` counts: 0 where the
    episode ended there, else the discount to the power of the steps. weights: (M,) float32, of their losses. places:
    (M,), where the memory keeps them.
    """

    seen: Observation
    following: Observation
    actions: np.ndarray
    rewards: np.ndarray
    bootstrap: np.ndarray
    weights: np.ndarray
    places: np.ndarray


class ReplayMemory:
    """A ring of time steps of N cars. The next observation of a step is that of the time step after it.

    Where an episode was cut (truncated) the next one is another episode's, so its own last one is kept beside the
    ring. Steps whose next observation is not there yet, or was overwritten, are not sampled.
    """

    def __init__(
        self,
        cars: int,
        size: int,
        inputs: tuple[Input, ...],
        action_shape: tuple[int, ...],
        action_type: type,
        discount: float,
        n_step: int = 1,
        priorities: Priorities | None = None,
    ):
        """size: observations kept in all, at least n_step + 1 time steps of all cars. priorities: None draws uniformly.

        n_step: steps of one transition; fewer where the episode ends within them.
        """
        self._rows = max(n_step + 1, size // cars)
        self._cars = cars
        self._discount, self._n_step = discount, n_step
        self._seen: list[np.ndarray] = [np.empty((self._rows, cars, *given.shape), given.dtype) for given in inputs]
        self._actions: np.ndarray = np.empty((self._rows, cars, *action_shape), action_type)
        self._rewards = np.empty((self._rows, cars))
        self._terminated, self._ended = np.empty((2, self._rows, cars), bool)
        self._finals: dict[int, tuple[np.ndarray, ...]] = {}  # row · cars + car -> seen last in a cut episode
        self.time = 0  # time steps written in all
        self.priorities = priorities
        if priorities is not None:
            priorities.keep(self._rows * cars)

    @property
    def capacity(self) -> int:
        """Transitions that can be sampled when it is full."""
        return (self._rows - self._n_step) * self._cars

    @property
    def steps(self) -> int:
        """Transitions that can be sampled."""
        return max(0, min(self.time, self._rows) - self._n_step) * self._cars

    def begin(self, observation: Observation, actions: np.ndarray) -> None:
        """What the cars see and what they do (N, …)."""
        row = self.time % self._rows
        places = np.arange(row * self._cars, (row + 1) * self._cars)
        if self.time >= self._rows:
            for key in places.tolist():
                self._finals.pop(key, None)
        if self.priorities is not None:
            self.priorities.add(places)
        for kept, array in zip(self._seen, arrays(observation), strict=True):
            kept[row] = array
        self._actions[row] = actions

    def end(
        self, rewards: np.ndarray, terminated: np.ndarray, truncated: np.ndarray, final: Observation | None
    ) -> None:
        """What came of it; each (N,)."""
        row = self.time % self._rows
        self._rewards[row] = rewards
        self._terminated[row] = terminated
        self._ended[row] = terminated | truncated
        for car in np.flatnonzero(truncated & ~terminated):
            if final is None:
                raise ValueError("observe: the final observation is needed where truncated is set")
            self._finals[row * self._cars + int(car)] = tuple(array[car].copy() for array in arrays(final))
        self.time += 1

    def sample(self, rng: np.random.Generator, count: int) -> Batch:
        """`count` transitions, drawn with repeats: uniformly, or by their priorities."""
        rows, cars, weights = self._draw(rng, count)
        last, rewards, bootstrap = self._through(rows, cars)
        following = tuple(array[(last + 1) % self._rows, cars] for array in self._seen)
        if self._finals:
            for place, key in enumerate(last * self._cars + cars):
                if key in self._finals:
                    for array, final in zip(following, self._finals[key], strict=True):
                        array[place] = final
        return Batch(
            seen=joined(tuple(array[rows, cars] for array in self._seen)),
            following=joined(following),
            actions=self._actions[rows, cars],
            rewards=rewards,
            bootstrap=bootstrap,
            weights=weights,
            places=rows * self._cars + cars,
        )

    def _draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(rows, cars, weights) of first steps; the newest ones have no next observation yet."""
        kept = min(self.time, self._rows)
        if self.priorities is None:
            age = rng.integers(self._n_step, kept, size=count)
            return (self.time - 1 - age) % self._rows, rng.integers(self._cars, size=count), np.ones(count, np.float32)
        rows = (self.time - 1 - np.arange(self._n_step, kept)) % self._rows
        allowed = (rows[:, None] * self._cars + np.arange(self._cars)).ravel()
        places, weights = self.priorities.sample(rng, allowed, count)
        return places // self._cars, places % self._cars, weights

    def _through(self, rows: np.ndarray, cars: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(row of the last step, discounted rewards, weight of the value after it) of transitions that begin here."""
        rewards, last = self._rewards[rows, cars], rows
        going = ~self._ended[rows, cars]
        discounts = np.full(len(rows), self._discount)  # multiplied up as rl_coach's Episode does
        for step in range(1, self._n_step):
            row = (rows + step) % self._rows
            rewards = rewards + np.where(going, discounts * self._rewards[row, cars], 0.0)
            discounts = np.where(going, self._discount ** (step + 1), discounts)
            last = np.where(going, row, last)
            going = going & ~self._ended[row, cars]
        return last, rewards, discounts * ~self._terminated[last, cars]
