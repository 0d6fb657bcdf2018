"""From a simulator's sensors to what a policy sees: the last frames (stack_size of the hyperparameters), the lidar."""

from typing import Protocol

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import Observation
from kuberacer.rollout.lidar_input import lidar_input


class Sensing(Protocol):
    """Cars with sensors: frames (cars, views, 120, 160) uint8, lidar (cars, 64) metres."""

    @property
    def frames(self) -> np.ndarray: ...
    @property
    def lidar(self) -> np.ndarray | None: ...


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


class Observations:
    """What the cars of a simulator see, as a policy of this metadata takes it: `current`, until the next `push`."""

    def __init__(self, sim: Sensing, metadata: ModelMetadata, depth: int, frames: np.ndarray | None = None):
        """frames: what the cameras show, when it is not what the simulator has drawn."""
        self._sim, self._metadata = sim, metadata
        self._frames = sim.frames if frames is None else frames
        self.stack = FrameStack(self._frames, depth)
        self.lidar = self.scan()

    @property
    def current(self) -> Observation:
        return self._with(self.stack.observations, self.lidar)

    def peek(self) -> Observation:
        """As it would be with what the sensors show now; nothing is kept."""
        return self._with(self.stack.peek(self._frames), self.scan())

    def push(self, restarted: np.ndarray) -> None:
        """Take in what the sensors show; `restarted` (cars,) bool marks the cars whose episode begins with it."""
        self.stack.push(self._frames, restarted)
        self.lidar = self.scan()

    def scan(self) -> np.ndarray | None:
        """(cars, values) float32: what the lidar shows now, as the network sees it; None without one."""
        if self._metadata.lidar is None:
            return None
        if self._sim.lidar is None:
            raise ValueError(f"{self._metadata.lidar} of a simulator without a lidar")
        return lidar_input(self._sim.lidar, self._metadata)

    @staticmethod
    def _with(camera: np.ndarray, lidar: np.ndarray | None) -> Observation:
        return camera if lidar is None else (camera, lidar)
