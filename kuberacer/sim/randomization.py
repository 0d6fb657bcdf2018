"""Domain randomisation: what a policy should not rely on, drawn anew for every episode of every car.

A draw depends on (seed, car, episode, what is drawn) alone: neither on the number of cars nor on threads.
"""

import math

import numpy as np

from kuberacer.sim.camera import Camera
from kuberacer.sim.noise_kernels import fill_draws, fill_lookup
from kuberacer.sim.texture import DASH, GRASS, LINE, ROAD, SKY

STEERING_LAG, SPEED_LAG = 0.06, 0.10  # s, time constants of the actuators
DRAWS = 32  # of one episode, at most
SURFACES = (0, ROAD, GRASS, DASH, SKY, LINE, 255)
SHIFTS = (0, 25, 35, 25, 40, 10, 0)  # grey levels that they may become brighter or darker


class Draws:
    """Counter-based uniform random numbers of one (seed, car, episode), at most DRAWS."""

    def __init__(self, seed: int, car: int, episode: int):
        numbers = np.empty(DRAWS)
        fill_draws(np.uint64(seed & (2**64 - 1)), car, episode, numbers)
        self._next = iter(numbers.tolist())

    def uniform(self, low: float, high: float) -> float:
        return low + (high - low) * next(self._next)


def nominal(car: np.void, substep: float) -> None:
    """A car as it is without randomisation."""
    car["grip"], car["steering_bias"], car["latency"] = 1.0, 0.0, 0
    car["steering_gain"], car["speed_gain"] = lag_gain(STEERING_LAG, substep), lag_gain(SPEED_LAG, substep)
    car["noise"] = car["blur"] = car["drop"] = 0.0


def lag_gain(time_constant: float, substep: float) -> float:
    """Share of the gap that a first-order lag closes in one substep."""
    return 1.0 - math.exp(-substep / time_constant)


def randomize(car: np.void, draws: Draws, substep: float) -> tuple[Camera, np.ndarray]:
    """Draw a car's body into its record; returns its camera and the lookup table (256,) uint8 of its greys."""
    car["latency"] = int(draws.uniform(0.0, 4.0))
    car["grip"] = draws.uniform(0.7, 1.3)
    car["steering_bias"] = math.radians(draws.uniform(-2.0, 2.0))
    car["steering_gain"] = lag_gain(STEERING_LAG * draws.uniform(0.5, 2.0), substep)
    car["speed_gain"] = lag_gain(SPEED_LAG * draws.uniform(0.5, 2.0), substep)
    car["noise"] = draws.uniform(0.0, 16.0)
    car["blur"] = draws.uniform(0.0, 0.33)
    car["drop"] = draws.uniform(0.0, 0.05)
    camera = Camera(
        height=0.130 + draws.uniform(-0.01, 0.01),
        pitch=math.radians(15.0 + draws.uniform(-2.0, 2.0)),
        field_of_view=1.13 * draws.uniform(0.95, 1.05),
    )
    return camera, grey_lookup(draws)


def grey_lookup(draws: Draws) -> np.ndarray:
    """Other colours of the scene's surfaces, then light (gain) and gamma, as one table of greys."""
    greys = [grey + draws.uniform(-shift, shift) for grey, shift in zip(SURFACES, SHIFTS, strict=True)]
    lookup = np.empty(256, np.uint8)
    gamma, light = draws.uniform(0.7, 1.4), draws.uniform(0.6, 1.2)
    fill_lookup(_SURFACES, np.array(greys), gamma, light, lookup)
    return lookup


_SURFACES = np.array(SURFACES, np.float64)
