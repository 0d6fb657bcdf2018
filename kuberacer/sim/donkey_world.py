"""The donkey car's road as a world of this simulator: any number of cars, stepped and pictured together.

It counts in the donkey simulator's units and signs: the cross-track error is 0 on the centre line, positive to the
right of it; the road's edges are at ±HALF_ROAD; steering 1 is full lock to the right; y points up, x and z lie on the
ground.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np

from kuberacer.sim.camera import HEIGHT, WIDTH, Camera
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.randomization import Draws
from kuberacer.sim.step_kernels import MAX_STEERING_DEG
from kuberacer.sim.texture import Paint
from kuberacer.sim.track import Track, load_track

ROAD = "donkey_road"
UNIT = 0.1  # m
HALF_ROAD = 5.0  # units
FULL_THROTTLE = 2.5  # m/s, of a car that drives straight on
STEPS_PER_SECOND = 15
# A donkey's camera looks wider than DeepRacer's: a third of its picture is sky.
CAMERA = Camera(height=0.15, pitch=np.deg2rad(14.0), field_of_view=np.deg2rad(80.0))
RED = Paint(grass=86, road=74, dash=248, line=240, sky=150)
GREEN = Paint(grass=126, road=76, dash=196, line=240, sky=190)
BLUE = Paint(grass=58, road=80, dash=30, line=236, sky=226)


@cache
def road() -> Track:
    """The one object, by which its textures are found again."""
    return load_track(ROAD)


class DonkeyWorld:
    """Cars on the donkey road, each alone. All arrays have the car as first axis.

    x, y, z, speed (units a second), cte (units): float64. hit: "none", there is nothing. frames: (cars, 120, 160, 3)
    uint8.

    Car i does the same in any number of cars: what is drawn for it depends on its own seed and episode.
    """

    def __init__(self, cars: int, threads: int = 1):
        self.cars = cars
        # The end of an episode is for who plays to say.
        rules = SimConfig(max_steps=2**31)
        self.sim = RaceSim(road(), cars, config=rules, threads=threads, camera=CAMERA, paints=(RED, GREEN, BLUE))
        self.hit = np.full(cars, "none")
        self.lost = np.zeros(cars, bool)  # no one takes these cars away
        self.y = np.zeros(cars)

    def reset(self, mask: np.ndarray, seeds: Sequence[int]) -> None:
        """Stand the masked cars (cars,) bool on the middle of the road, at a place that their seed and episode say."""
        starts = np.zeros(self.cars)
        for car in np.flatnonzero(mask).tolist():
            starts[car] = Draws(seeds[car], 0, int(self.sim.episode[car]) + 1).uniform(0.0, 1.0)
        self.sim.reset(mask, starts)
        self.sim.render(mask)

    def restart(self) -> None:
        """Count the episodes from the first one again."""
        self.sim.forget()

    def advance(self, steering: np.ndarray, throttle: float) -> None:
        """One step of all cars (1/15 s): steering (cars,) in -1..1, throttle in 0..1."""
        self.sim.advance(
            -MAX_STEERING_DEG * np.asarray(steering, np.float64), np.full(self.cars, throttle * FULL_THROTTLE)
        )
        self.sim.render()

    @property
    def cte(self) -> np.ndarray:
        values = self.sim.values
        return np.where(values.is_left_of_center, -1.0, 1.0) * values.distance_from_center / UNIT

    @property
    def x(self) -> np.ndarray:
        return self.sim.values.x / UNIT

    @property
    def z(self) -> np.ndarray:
        return self.sim.values.y / UNIT

    @property
    def speed(self) -> np.ndarray:
        return self.sim.driven_speed / UNIT

    @property
    def frames(self) -> np.ndarray:
        """A copy, whose channels lie one after the other in memory."""
        channels = self.sim.channels[:, :, 0].copy()
        assert channels.shape == (3, self.cars, HEIGHT, WIDTH)
        return np.moveaxis(channels, 0, -1)
