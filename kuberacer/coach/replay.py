"""Replay memory: frames stored once, as bytes, in one ring; transitions are index arithmetic on it."""

import numpy as np


class ReplayMemory:
    """A ring of time steps of N cars. The next frame of a step is the frame of the time step after it.

    Where an episode was cut (truncated) the next frame is another episode's, so its own last frame is kept beside the
    ring. Steps whose next frame is not there yet, or was overwritten, are not sampled.
    """

    def __init__(
        self, cars: int, size: int, frame_shape: tuple[int, ...], action_shape: tuple[int, ...], action_type: type
    ):
        """size: frames kept in all, at least two time steps of all cars."""
        self._rows = max(2, size // cars)
        self._cars = cars
        self._frames = np.empty((self._rows, cars, *frame_shape), np.uint8)
        self._actions: np.ndarray = np.empty((self._rows, cars, *action_shape), action_type)
        self._rewards = np.empty((self._rows, cars))
        self._terminated = np.empty((self._rows, cars), bool)
        self._finals: dict[int, np.ndarray] = {}  # row · cars + car -> last frame of a cut episode
        self.time = 0  # time steps written in all

    @property
    def capacity(self) -> int:
        """Transitions that can be sampled when it is full."""
        return (self._rows - 1) * self._cars

    @property
    def steps(self) -> int:
        """Transitions that can be sampled."""
        return max(0, min(self.time, self._rows) - 1) * self._cars

    def begin(self, frames: np.ndarray, actions: np.ndarray) -> None:
        """The frames that the cars see (N, …) and what they do."""
        row = self.time % self._rows
        if self.time >= self._rows:
            for key in range(row * self._cars, (row + 1) * self._cars):
                self._finals.pop(key, None)
        self._frames[row] = frames
        self._actions[row] = actions

    def end(
        self, rewards: np.ndarray, terminated: np.ndarray, truncated: np.ndarray, final_frames: np.ndarray | None
    ) -> None:
        """What came of it; each (N,)."""
        row = self.time % self._rows
        self._rewards[row] = rewards
        self._terminated[row] = terminated
        for car in np.flatnonzero(truncated & ~terminated):
            if final_frames is None:
                raise ValueError("observe: final_frames is needed where truncated is set")
            self._finals[row * self._cars + int(car)] = final_frames[car].copy()
        self.time += 1

    def sample(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, ...]:
        """(frames, next frames, actions, rewards, terminated) of `count` transitions, drawn uniformly with repeats."""
        kept = min(self.time, self._rows)
        age = rng.integers(1, kept, size=count)  # the newest time step has no next frame yet
        cars = rng.integers(self._cars, size=count)
        rows = (self.time - 1 - age) % self._rows
        following = self._frames[(rows + 1) % self._rows, cars]
        if self._finals:
            for place, key in enumerate(rows * self._cars + cars):
                if key in self._finals:
                    following[place] = self._finals[key]
        return (
            self._frames[rows, cars],
            following,
            self._actions[rows, cars],
            self._rewards[rows, cars],
            self._terminated[rows, cars],
        )
