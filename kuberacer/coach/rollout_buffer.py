"""What N cars have played since the last training phase, as contiguous arrays of [time, car]."""

import numpy as np

from kuberacer.coach.sensors import Input, Observation, arrays, chosen


class RolloutBuffer:
    """Grows by doubling; `clear` keeps the memory. Frames are stored once, as bytes."""

    def __init__(self, cars: int, steps: int, inputs: tuple[Input, ...], **columns: tuple[tuple[int, ...], type]):
        """steps: the expected number of time steps. inputs: what is observed, in columns by their names.
        columns: name=(shape of one car's entry, dtype)."""
        self._inputs = [given.name for given in inputs]
        kinds = {given.name: (given.shape, given.dtype) for given in inputs} | columns
        self._arrays: dict[str, np.ndarray] = {
            name: np.empty((steps, cars, *shape), dtype) for name, (shape, dtype) in kinds.items()
        }
        self.cars = cars
        self.time = 0
        # What was seen at cut trajectories' ends: (time, cars' indices, observation).
        self.finals: list[tuple[int, np.ndarray, Observation]] = []

    def see(self, observation: Observation) -> None:
        """Write what the cars see in the current time step."""
        self.put(**dict(zip(self._inputs, arrays(observation), strict=True)))

    def seen(self) -> tuple[np.ndarray, ...]:
        """The arrays of all that was seen, (time · cars, …) each, views."""
        return tuple(self.flat(name) for name in self._inputs)

    def put(self, **entries: np.ndarray) -> None:
        """Write columns of the current time step."""
        if self.time == len(self._arrays[self._inputs[0]]):
            for name, array in self._arrays.items():
                self._arrays[name] = np.concatenate([array, np.empty_like(array)])
        for name, entry in entries.items():
            self._arrays[name][self.time] = entry

    def end_step(self, truncated: np.ndarray, final: Observation | None) -> None:
        if truncated.any():
            if final is None:
                raise ValueError("observe: the final observation is needed where truncated is set")
            cut = np.flatnonzero(truncated)
            self.finals.append((self.time, cut, chosen(final, cut)))
        self.time += 1

    def __getitem__(self, name: str) -> np.ndarray:
        """(time, cars, …), a view."""
        return self._arrays[name][: self.time]

    def flat(self, name: str) -> np.ndarray:
        """(time · cars, …), a view."""
        array = self[name]
        return array.reshape(-1, *array.shape[2:])

    def clear(self) -> None:
        self.time = 0
        self.finals.clear()
