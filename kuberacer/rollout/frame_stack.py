"""The last frames of each car as one observation (stack_size of the hyperparameters)."""

import numpy as np


class FrameStack:
    """Observations (cars, height, width, depth) uint8, newest last; an episode starts with its first frame repeated."""

    def __init__(self, frames: np.ndarray, depth: int):
        self.depth = depth
        # One frame deep needs no copy: the simulator's own buffer is the observation.
        self.observations = frames[..., None] if depth == 1 else np.repeat(frames[..., None], depth, axis=-1)

    def peek(self, frames: np.ndarray) -> np.ndarray:
        """The observations as they would be after `frames` (cars, height, width); nothing is kept."""
        if self.depth == 1:
            return frames[..., None]
        return np.concatenate([self.observations[..., 1:], frames[..., None]], axis=-1)

    def push(self, frames: np.ndarray, restarted: np.ndarray) -> None:
        """Take in new frames; `restarted` (cars,) bool marks the cars whose episode begins with this frame."""
        if self.depth == 1:
            return
        self.observations[..., :-1] = self.observations[..., 1:]
        self.observations[..., -1] = frames
        self.observations[restarted] = frames[restarted][..., None]
