"""Paths across a road's gates: their curvature, their length, and where a car's wheels are on them.

A gate is a line across a reference path, at first the centre line, then the best path found so far; a path is one
offset on each gate, in metres, left positive. Its points are where the car's origin goes, the middle of the rear axle,
which does not slip: the car's heading is the path's tangent, and with it the place of all four wheels is known.
"""

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline

from kuberacer.sim import step_kernels as car
from kuberacer.sim.fastest_lap_road import Road

REACH = 0.3  # m to both sides of the reference path
LARGEST_TURN = 0.7  # of the reference's radius that an offset may take away


@dataclass(frozen=True)
class PathShape:
    """What an offset per gate gives. First axis the gate, all in metres and 1/m.

    points (N + 1, 2), tangents (N + 1, 2), chords (N,), curvature (N + 1,). left, right (N + 1,): how far the wheel
    that is farthest from that border is within it; the car is off the track where one of them is negative.
    """

    points: np.ndarray
    tangents: np.ndarray
    chords: np.ndarray
    curvature: np.ndarray
    left: np.ndarray
    right: np.ndarray

    @property
    def lengths(self) -> np.ndarray:
        """(N,) of the arcs over the chords."""
        middle = 0.5 * (self.curvature[:-1] + self.curvature[1:])
        return self.chords * (1.0 + (middle * self.chords) ** 2 / 24.0)


class Gates:
    """Lines across a reference path, every `spacing` metres or a little less."""

    def __init__(self, road: Road, reference: np.ndarray, spacing: float):
        """reference (M, 2): points of a smooth path, from where the car stands at the start to behind the finish."""
        self.road = road
        gone = np.append(0.0, np.cumsum(np.hypot(*np.diff(reference, axis=0).T)))
        curve = CubicSpline(gone, reference)
        self.at = np.linspace(0.0, gone[-1], int(np.ceil(gone[-1] / spacing)) + 1)
        self.center, way, turn = curve(self.at), curve(self.at, 1), curve(self.at, 2)
        size = np.hypot(*way.T)
        self.across = np.stack([-way[:, 1], way[:, 0]], axis=1) / size[:, None]
        bend = np.abs(way[:, 0] * turn[:, 1] - way[:, 1] * turn[:, 0]) / size**3
        self.reach = np.minimum(REACH, LARGEST_TURN / np.maximum(bend, 1e-9))
        self.reach[0] = 0.0
        self.distance = road.projections(self.center, road.first)
        self._borders = road.borders(self.distance)

    def shape(self, offset: np.ndarray) -> PathShape:
        """The path with offsets (N + 1,)."""
        points = self.center + offset[:, None] * self.across
        step = np.diff(points, axis=0)
        chords = np.hypot(*step.T)
        # The standing car came straight along its heading; nothing is told of what is behind the last gate.
        into = np.vstack([chords[0] * self.road.start_heading, step])
        out = np.vstack([step, step[-1:]])
        a, b = np.hypot(*into.T), np.hypot(*out.T)
        cross = into[:, 0] * out[:, 1] - into[:, 1] * out[:, 0]
        curvature = 2.0 * cross / np.maximum(a * b * np.hypot(*(into + out).T), 1e-12)
        curvature[-1] = curvature[-2]
        tangents = into * (b / a)[:, None] + out * (a / b)[:, None]
        tangents /= np.hypot(*tangents.T)[:, None]
        return PathShape(points, tangents, chords, curvature, *self._wheels(points, tangents))

    def _wheels(self, points: np.ndarray, tangents: np.ndarray) -> list[np.ndarray]:
        normals = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)
        margins = []
        for border, side in zip(self._borders, (1.0, -1.0), strict=True):
            rear = points - side * 0.5 * car.WHEEL_TRACK * normals  # the wheel on the far side
            front = rear + car.WHEELBASE * tangents
            margins.append(np.maximum(border.inside(rear, side), border.inside(front, side)))
        return margins

    def finish(self, shape: PathShape) -> np.ndarray:
        """Share (N,) of each segment that belongs to the lap: until the front's projection has gone around."""
        nodes = np.flatnonzero(self.distance > self.road.length - 1.0)
        gone = self.road.projections(shape.points[nodes] + car.FRONT * shape.tangents[nodes], self.road.length - 1.0)
        over = np.flatnonzero(gone >= self.road.length - 1e-9)
        share = np.ones(len(shape.chords))
        if len(over) and over[0] > 0:
            last = int(over[0])
            segment = nodes[last] - 1
            share[segment] = (self.road.length - gone[last - 1]) / max(gone[last] - gone[last - 1], 1e-9)
            share[segment + 1 :] = 0.0
        return share
