"""The car of a donkey simulator as the world of a DonkeyCars: one connection a process, whoever plays."""

from collections.abc import Sequence

import numpy as np

from kuberacer.environments.donkey_protocol import Telemetry
from kuberacer.environments.donkey_simulator import DonkeySimulator

FRAMES_A_STEP = 2  # as gym-donkeycar


class Seat:
    """The connected car as the world of a DonkeyCars. Who takes a seat later has the car from then on: the episode of
    who had it before is over."""

    def __init__(self, simulator: DonkeySimulator):
        self.simulator = simulator
        self.last: Telemetry | None = None
        self.lost = np.zeros(1, bool)  # another one has the car
        simulator.seat = self

    def restart(self) -> None:
        """A simulator's episodes are not drawn."""

    def reset(self, mask: np.ndarray, seeds: Sequence[int]) -> None:
        if mask[0]:
            self.simulator.seat = self
            self.lost[0] = False
            self.last = self.simulator.reset()

    def advance(self, steering: np.ndarray, throttle: float) -> None:
        self.lost[0] = self.simulator.seat is not self
        for _ in range(0 if self.lost[0] else FRAMES_A_STEP):
            self.last = self.simulator.drive(float(steering[0]), throttle)

    @property
    def frames(self) -> np.ndarray:
        return self._told.image[None].copy()

    @property
    def x(self) -> np.ndarray:
        return np.array([self._told.position[0]])

    @property
    def y(self) -> np.ndarray:
        return np.array([self._told.position[1]])

    @property
    def z(self) -> np.ndarray:
        return np.array([self._told.position[2]])

    @property
    def speed(self) -> np.ndarray:
        return np.array([self._told.speed])

    @property
    def cte(self) -> np.ndarray:
        return np.array([self._told.cte])

    @property
    def hit(self) -> np.ndarray:
        return np.array([self._told.hit])

    @property
    def _told(self) -> Telemetry:
        assert self.last is not None, "reset comes first"
        return self.last


_connected: dict[tuple[str, str], DonkeySimulator] = {}


def seat_at(where: str, scene: str, settle_s: float) -> Seat:
    """The car of the simulator there, which is started or waited for once a process. Raises UserError."""
    key = (where, scene)
    if key not in _connected:
        _connected[key] = DonkeySimulator(where, scene, settle_s)
    return Seat(_connected[key])


def disconnect() -> None:
    """End all of this process' connections, and the simulators that it started."""
    while _connected:
        _connected.popitem()[1].close()
