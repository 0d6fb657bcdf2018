"""What N cars have played since the last training phase, as contiguous arrays of [time, car]."""

import numpy as np


class RolloutBuffer:
    """Grows by doubling; `clear` keeps the memory. Frames are stored once, as bytes."""

    def __init__(self, cars: int, steps: int, frame_shape: tuple[int, ...], **columns: tuple[tuple[int, ...], type]):
        """steps: the expected number of time steps. columns: name=(shape of one car's entry, dtype)."""
        kinds = {"frames": (frame_shape, np.uint8), **columns}
        self._arrays: dict[str, np.ndarray] = {
            name: np.empty((steps, cars, *shape), dtype) for name, (shape, dtype) in kinds.items()
        }
        self.cars = cars
        self.time = 0
        # Frames of cut trajectories' ends: (time, cars' indices, frames).
        self.finals: list[tuple[int, np.ndarray, np.ndarray]] = []

    def put(self, **entries: np.ndarray) -> None:
        """Write columns of the current time step."""
        if self.time == len(self._arrays["frames"]):
            for name, array in self._arrays.items():
                self._arrays[name] = np.concatenate([array, np.empty_like(array)])
        for name, entry in entries.items():
            self._arrays[name][self.time] = entry

    def end_step(self, truncated: np.ndarray, final_frames: np.ndarray | None) -> None:
        if truncated.any():
            if final_frames is None:
                raise ValueError("observe: final_frames is needed where truncated is set")
            cut = np.flatnonzero(truncated)
            self.finals.append((self.time, cut, final_frames[cut].copy()))
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
