"""Domain randomisation: what a policy should not rely on, drawn anew for every episode of every car.

A draw depends on (seed, car, episode, what is drawn) alone: neither on the number of cars nor on threads.
"""

import numpy as np

from kuberacer.sim.camera import Camera
from kuberacer.sim.texture import DASH, GRASS, LINE, ROAD, SKY

STEERING_LAG, SPEED_LAG = 0.06, 0.10  # s, time constants of the actuators
GOLDEN_GAMMA = np.uint64(0x9E3779B97F4A7C15)


class Draws:
    """Counter-based uniform random numbers of one (seed, car, episode)."""

    def __init__(self, seed: int, car: int, episode: int):
        self.state = np.uint64(seed & (2**64 - 1))
        with np.errstate(over="ignore"):
            for number in (car, episode):
                self.state = _mix(self.state + GOLDEN_GAMMA * np.uint64(number + 1))

    def uniform(self, low: float, high: float) -> float:
        with np.errstate(over="ignore"):
            self.state += GOLDEN_GAMMA
            bits = _mix(self.state)
        return low + (high - low) * float(bits >> np.uint64(11)) * 2.0**-53


def _mix(state: np.uint64) -> np.uint64:
    """splitmix64's finaliser."""
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def nominal(car: np.void, substep: float) -> None:
    """A car as it is without randomisation."""
    car["grip"], car["steering_bias"], car["latency"] = 1.0, 0.0, 0
    car["steering_gain"], car["speed_gain"] = lag_gain(STEERING_LAG, substep), lag_gain(SPEED_LAG, substep)
    car["noise"] = car["blur"] = car["drop"] = 0.0


def lag_gain(time_constant: float, substep: float) -> float:
    """Share of the gap that a first-order lag closes in one substep."""
    return float(1.0 - np.exp(-substep / time_constant))


def randomize(car: np.void, draws: Draws, substep: float) -> tuple[Camera, np.ndarray]:
    """Draw a car's body into its record; returns its camera and the lookup table (256,) uint8 of its greys."""
    car["latency"] = int(draws.uniform(0.0, 4.0))
    car["grip"] = draws.uniform(0.7, 1.3)
    car["steering_bias"] = np.deg2rad(draws.uniform(-2.0, 2.0))
    car["steering_gain"] = lag_gain(STEERING_LAG * draws.uniform(0.5, 2.0), substep)
    car["speed_gain"] = lag_gain(SPEED_LAG * draws.uniform(0.5, 2.0), substep)
    car["noise"] = draws.uniform(0.0, 16.0)
    car["blur"] = draws.uniform(0.0, 0.33)
    car["drop"] = draws.uniform(0.0, 0.05)
    camera = Camera(
        height=0.130 + draws.uniform(-0.01, 0.01),
        pitch=np.deg2rad(15.0 + draws.uniform(-2.0, 2.0)),
        field_of_view=1.13 * draws.uniform(0.95, 1.05),
    )
    return camera, grey_lookup(draws)


def grey_lookup(draws: Draws) -> np.ndarray:
    """Other colours of the scene's surfaces, then light (gain) and gamma, as one table of greys."""
    greys = np.array([0, ROAD, GRASS, DASH, SKY, LINE, 255], dtype=np.float64)
    shift = np.array([draws.uniform(-r, r) for r in (0, 25, 35, 25, 40, 10, 0)])
    colour = np.interp(np.arange(256), greys, np.clip(greys + shift, 0, 255))
    light = 255.0 * (colour / 255.0) ** draws.uniform(0.7, 1.4) * draws.uniform(0.6, 1.2)
    return np.clip(np.rint(light), 0, 255).astype(np.uint8)
