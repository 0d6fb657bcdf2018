"""A recording made by hand: cars along a ring's centre line, and things beside it."""

import numpy as np

from kuberacer.report.recording import CAR, Recording, Reel
from kuberacer.sim.episode import EpisodeStatus
from kuberacer.sim.solid_kernels import OBJECT
from kuberacer.sim.track import Track

RADIUS = 3.0
INCIDENT_AT, PENALTY = 10, 5.0


def ring() -> Track:
    """Counter-clockwise around the origin, 0.8 m wide, from (3, 0) on."""
    angle = np.linspace(0, 2 * np.pi, 161)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Track.from_route(np.hstack([RADIUS * unit, 2.6 * unit, 3.4 * unit]), "ring")


def recorded(
    names: tuple[str, ...] = ("Ada Lovelace",),
    colors: tuple[str, ...] = ("Red",),
    steps: int = 30,
    views: int = 1,
    things: tuple[tuple[float, float, int], ...] = (),
    leaderboard: str = "City Cup",
    statuses: dict[int, EpisodeStatus] | None = None,
) -> Recording:
    """Cars drive 0.1 m a step, each one metre behind the one before. things: degrees, radius, kind. statuses: of the
    first car by step; an incident costs PENALTY seconds from the next step on."""
    objects = np.zeros(len(things), OBJECT)
    for one, (degrees, radius, kind) in zip(objects, things, strict=True):
        angle = np.deg2rad(degrees)
        one["x"], one["y"], one["heading"] = radius * np.cos(angle), radius * np.sin(angle), angle + np.pi / 2
        one["kind"], one["half_length"], one["half_width"], one["height"] = kind, 0.1, 0.1, 0.2
    reel, penalty, statuses = Reel(), 0.0, statuses or {}
    for step in range(steps):
        cars = np.zeros(len(names), CAR)
        for i, car in enumerate(cars):
            angle = (0.1 * step - i) / RADIUS
            car["x"], car["y"] = RADIUS * np.cos(angle), RADIUS * np.sin(angle)
            car["heading"] = (np.degrees(angle) + 270) % 360 - 180
            car["speed"], car["progress"], car["lap"] = 1.5, 100 * step / 200, 1
            car["lap_time"] = car["total_time"] = step / 15 + penalty
        cars[0]["penalty"], cars[0]["resets"] = penalty, round(penalty / PENALTY)
        cars[0]["status"] = statuses.get(step, EpisodeStatus.in_progress)
        penalty += PENALTY * (statuses.get(step) in (EpisodeStatus.off_track, EpisodeStatus.crashed))
        camera = np.zeros((len(names), views, 120, 160), np.uint8)
        camera[:, 0], camera[:, 1:] = 40, 200
        reel.add(cars, objects, camera)
    return reel.recording(ring(), list(names), list(colors), leaderboard=leaderboard, laps=3)
