"""A driver who knows the road, the car and the path: cars that follow a fastest lap in the simulator, in many ways."""

import itertools

import numpy as np

from kuberacer.sim import step_kernels as car
from kuberacer.sim.fastest_lap import FastestLap, fastest_lap
from kuberacer.sim.race_sim import RaceSim, SimConfig
from kuberacer.sim.randomization import SPEED_LAG
from kuberacer.sim.track import Track

# How far ahead the bend is looked at (s), share of the path's speed, back to the path by 1/m² and by its heading
WAYS = np.array(list(itertools.product((0.0, 0.03, 0.06), (0.94, 0.97, 0.985, 1.0), (1.0, 3.0), (2.0, 4.0, 8.0))))


def narrowed(track: Track, margin: float) -> Track:
    """The road without `margin` metres on each side: room for a driver's errors."""
    across = track.outer - track.inner
    across *= margin / np.hypot(*across.T)[:, None]
    return Track(track.name, track.center, track.inner + across, track.outer - across, track.closed)


def fastest_follower(track: Track, margin: float = 0.03) -> float:
    """Seconds of the best lap in RaceSim, of all ways to follow the narrowed road's path; inf: none got around."""
    return float(followers(track, fastest_lap(narrowed(track, margin))).min())


def followers(track: Track, lap: FastestLap) -> np.ndarray:
    """Lap times (ways,) of cars at 15 Hz; inf where one left the road."""
    lead, share, back, turn = WAYS.T
    sim = RaceSim(track, len(WAYS), config=SimConfig(start="line", max_steps=15 * 120))
    sim.reset()
    path = _Path(lap)
    seconds, driving, near = np.full(sim.cars, np.inf), np.ones(sim.cars, bool), np.zeros(sim.cars, int)
    while driving.any():
        cars = sim._cars
        speed = np.maximum(cars["speed"], 0.3)
        near, beside = path.nearest(near, cars["x"], cars["y"])
        at = path.gone[near]
        askew = (cars["heading"] - path.heading[near] + np.pi) % (2 * np.pi) - np.pi
        bend = np.mean([path.read(path.bend, at + (lead + k / 60) * speed) for k in range(4)], axis=0)
        steering = np.arctan((bend - back * beside - turn * askew / np.maximum(speed, 1.0)) * car.WHEELBASE)
        wanted = share * path.read(path.speed, at + car.POLICY_STEP * speed)
        throttle = cars["speed"] + (wanted - cars["speed"]) / (1.0 - np.exp(-car.POLICY_STEP / SPEED_LAG))
        sim.advance(np.where(driving, np.degrees(steering), 0.0), np.where(driving, throttle, 0.0))
        ended = driving & (sim.terminated | sim.truncated)
        for k in np.flatnonzero(ended):
            if sim.status_name(k) == "lap_complete":
                seconds[k] = sim.values.sim_time[k]
        driving &= ~ended
    return seconds


class _Path:
    """A lap's path every two centimetres."""

    def __init__(self, lap: FastestLap):
        step = np.diff(lap.path, axis=0)
        rows = np.append(0.0, np.cumsum(np.hypot(*step.T)))
        self.gone = np.arange(0.0, rows[-1], 0.02)
        self.points = np.stack([np.interp(self.gone, rows, lap.path[:, k]) for k in (0, 1)], axis=1)
        self.speed = np.interp(self.gone, rows, lap.speed)
        angle = np.unwrap(np.arctan2(step[:, 1], step[:, 0]))
        middle = 0.5 * (rows[:-1] + rows[1:])
        self.heading = np.interp(self.gone, middle, angle)
        self.bend = np.interp(self.gone, rows[1:-1], np.diff(angle) / np.diff(middle))

    def read(self, values: np.ndarray, at: np.ndarray) -> np.ndarray:
        return np.interp(at, self.gone, values)

    def nearest(self, near: np.ndarray, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows (cars,) beside the cars, looked for around `near`, and how far to the left of them the cars are."""
        rows = np.clip(near[:, None] + np.arange(-10, 40), 0, len(self.gone) - 1)
        gap = np.stack([x, y], axis=1)[:, None] - self.points[rows]
        found = rows[np.arange(len(near)), (gap**2).sum(axis=2).argmin(axis=1)]
        off, angle = np.stack([x, y], axis=1) - self.points[found], self.heading[found]
        return found, np.cos(angle) * off[:, 1] - np.sin(angle) * off[:, 0]
