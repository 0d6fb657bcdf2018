"""Replay memory: what was seen is stored once, frames as bytes, in one ring; transitions are index arithmetic on it."""

import numpy as np

from kuberacer.coach.sensors import Input, Observation, arrays, joined


class ReplayMemory:
    """A ring of time steps of N cars. The next observation of a step is that of the time step after it.

    Where an episode was cut (truncated) the next one is another episode's, so its own last one is kept beside the
    ring. Steps whose next observation is not there yet, or was overwritten, are not sampled.
    """

    def __init__(
        self, cars: int, size: int, inputs: tuple[Input, ...], action_shape: tuple[int, ...], action_type: type
    ):
        """size: observations kept in all, at least two time steps of all cars."""
        self._rows = max(2, size // cars)
        self._cars = cars
        self._seen: list[np.ndarray] = [np.empty((self._rows, cars, *given.shape), given.dtype) for given in inputs]
        self._actions: np.ndarray = np.empty((self._rows, cars, *action_shape), action_type)
        self._rewards = np.empty((self._rows, cars))
        self._terminated = np.empty((self._rows, cars), bool)
        self._finals: dict[int, tuple[np.ndarray, ...]] = {}  # row · cars + car -> seen last in a cut episode
        self.time = 0  # time steps written in all

    @property
    def capacity(self) -> int:
        """Transitions that can be sampled when it is full."""
        return (self._rows - 1) * self._cars

    @property
    def steps(self) -> int:
        """Transitions that can be sampled."""
        return max(0, min(self.time, self._rows) - 1) * self._cars

    def begin(self, observation: Observation, actions: np.ndarray) -> None:
        """What the cars see and what they do (N, …)."""
        row = self.time % self._rows
        if self.time >= self._rows:
            for key in range(row * self._cars, (row + 1) * self._cars):
                self._finals.pop(key, None)
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
        for car in np.flatnonzero(truncated & ~terminated):
            if final is None:
                raise ValueError("observe: the final observation is needed where truncated is set")
            self._finals[row * self._cars + int(car)] = tuple(array[car].copy() for array in arrays(final))
        self.time += 1

    def sample(
        self, rng: np.random.Generator, count: int
    ) -> tuple[Observation, Observation, np.ndarray, np.ndarray, np.ndarray]:
        """(seen, seen next, actions, rewards, terminated) of `count` transitions, drawn uniformly with repeats."""
        kept = min(self.time, self._rows)
        age = rng.integers(1, kept, size=count)  # the newest time step has no next observation yet
        cars = rng.integers(self._cars, size=count)
        rows = (self.time - 1 - age) % self._rows
        following = tuple(array[(rows + 1) % self._rows, cars] for array in self._seen)
        if self._finals:
            for place, key in enumerate(rows * self._cars + cars):
                if key in self._finals:
                    for array, last in zip(following, self._finals[key], strict=True):
                        array[place] = last
        return (
            joined(tuple(array[rows, cars] for array in self._seen)),
            joined(following),
            self._actions[rows, cars],
            self._rewards[rows, cars],
            self._terminated[rows, cars],
        )
