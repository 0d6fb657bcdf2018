"""Domain randomisation's part of a camera frame, drawn apart from the frame: clean frames travel, noise need not.

Bit for bit what RaceSim draws: it depends on (seed, car, episode, step) alone.
"""

import numpy as np

from kuberacer.sim import step_kernels as kernels
from kuberacer.sim.noise_kernels import noise_keys, spoil_frames
from kuberacer.sim.randomization import Draws, randomize

REMEMBERED = 4096  # episodes whose draws are kept


class CameraNoise:
    """The noise of a simulator's cars 0, 1, … with this seed."""

    def __init__(self, seed: int):
        self.seed = seed
        self._drawn: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def spoil(self, clean: np.ndarray, episodes: np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Frames as the cars see them, of clean ones (cars, views, 120, 160); episodes, steps (cars,): as they were
        drawn."""
        frames = np.array(clean)
        cars, lookups = self._cars(episodes, steps)
        spoil_frames(frames, cars, lookups, self._frame_keys(cars))
        return frames

    def drawn(self, episodes: np.ndarray, steps: np.ndarray, before: np.ndarray) -> np.ndarray:
        """(cars,): the steps whose frames the cameras show at `steps`: a camera that drops a frame still shows the one
        of the step `before`."""
        cars, _ = self._cars(episodes, steps)
        chances = (self._frame_keys(cars) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.where((np.asarray(steps) > 0) & (chances < cars["drop"]), before, steps)

    def _frame_keys(self, cars: np.ndarray) -> np.ndarray:
        keys = np.zeros(len(cars), np.uint64)
        noise_keys(cars, np.arange(len(cars)), np.uint64(self.seed & (2**64 - 1)), keys)
        return keys

    def _cars(self, episodes: np.ndarray, steps: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        cars, lookups = np.zeros(len(episodes), kernels.CAR), np.empty((len(episodes), 256), np.uint8)
        for i, episode in enumerate(np.asarray(episodes).tolist()):
            found = self._drawn.get((i, episode))
            if found is None:
                car = np.zeros(1, kernels.CAR)
                _, lookup = randomize(car[0], Draws(self.seed, i, episode), kernels.SUBSTEP)
                if len(self._drawn) >= REMEMBERED:
                    self._drawn.clear()
                found = self._drawn[i, episode] = (car, lookup)
            cars[i], lookups[i] = found[0][0], found[1]
        cars["episode"], cars["steps"] = episodes, steps
        return cars, lookups
