"""The last frames of each car as one observation (stack_size of the hyperparameters)."""

import numpy as np


def channels_last(frames: np.ndarray) -> np.ndarray:
    """Frames (…, views, height, width) as (…, height, width, views): the same memory."""
    return np.moveaxis(frames, -3, -1)


class FrameStack:
    """Observations (cars, height, width, views * depth) uint8: time step after time step, the newest last, all views of
    each; an episode starts with its first frames repeated. `frames` are a simulator's, (cars, views, height, width)."""

    def __init__(self, frames: np.ndarray, depth: int):
        self.depth, self.views = depth, frames.shape[1]
        # One step deep needs no copy: the simulator's own buffer is the observation.
        self.observations = channels_last(frames) if depth == 1 else self._repeated(frames)

    def peek(self, frames: np.ndarray) -> np.ndarray:
        """The observations as they would be after `frames`; nothing is kept."""
        if self.depth == 1:
            return channels_last(frames)
        return np.concatenate([self.observations[..., self.views :], channels_last(frames)], axis=-1)

    def push(self, frames: np.ndarray, restarted: np.ndarray) -> None:
        """Take in new frames; `restarted` (cars,) bool marks the cars whose episode begins with these."""
        if self.depth == 1:
            return
        self.observations[..., : -self.views] = self.observations[..., self.views :]
        self.observations[..., -self.views :] = channels_last(frames)
        self.observations[restarted] = self._repeated(frames[restarted])

    def _repeated(self, frames: np.ndarray) -> np.ndarray:
        return np.tile(channels_last(frames), self.depth)
