"""Tracks for the simulator's tests, and a plain driver."""

from pathlib import Path

import numpy as np

from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track, load_track

REAL = Path(__file__).parents[3].parent / "shared" / "tracks"
REAL_NAMES = ("reinvent_base", "Oval_track", "reInvent2019_track", "Straight_track")


def oval(rows: int = 80, a: float = 4.0, b: float = 2.0, width: float = 0.8) -> Track:
    """A closed track around an ellipse, counter-clockwise, the inner border on its left."""
    return Track.from_route(oval_route(rows, a, b, width), "oval")


def oval_route(rows: int = 80, a: float = 4.0, b: float = 2.0, width: float = 0.8) -> np.ndarray:
    angle = np.linspace(0.0, 2 * np.pi, rows + 1)
    center = np.stack([a * np.cos(angle), b * np.sin(angle)], axis=1)
    normal = np.stack([b * np.cos(angle), a * np.sin(angle)], axis=1)
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    route = np.hstack([center, center - normal * width / 2, center + normal * width / 2])
    route[-1] = route[0]
    return route


def straight(length: float = 6.0, width: float = 0.6, rows: int = 21) -> Track:
    """An open track along the x axis from 0 to `length`."""
    x = np.linspace(0.0, length, rows)
    lines = [np.column_stack([x, np.full(rows, y)]) for y in (0.0, width / 2, -width / 2)]
    return Track.from_route(np.hstack(lines), "straight")


def available_tracks() -> list[Track]:
    """Synthetic ones, and the real DeepRacer routes where this machine has them."""
    real = [load_track(str(REAL / f"{name}.npy")) for name in REAL_NAMES if (REAL / f"{name}.npy").exists()]
    return [oval(), straight(), *real]


def steer_to_center(sim: RaceSim, ahead: int = 3) -> np.ndarray:
    """Steering angles (cars,) in degrees towards the waypoint `ahead` of the next one."""
    values, angles = sim.values, np.zeros(sim.cars)
    for i in range(sim.cars):
        waypoints = values.waypoints_of(i)
        last = len(waypoints) - 1
        k = values.closest_waypoints[i, 1] + ahead
        x, y = waypoints[k % last if sim.track.closed else min(k, last)]
        angles[i] = np.degrees(np.arctan2(y - values.y[i], x - values.x[i])) - values.heading[i]
    return (angles + 180.0) % 360.0 - 180.0
