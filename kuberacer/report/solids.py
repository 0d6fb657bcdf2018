"""Cars and things on the road as cuboids: their faces that a camera sees, shaded, the farthest first."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from kuberacer.report.chase_camera import ChaseCamera
from kuberacer.report.paint import Color, shade

NEAREST = 0.05  # m; what comes nearer is not drawn: it lies below the picture
IN_THE_WAY, GLASSY = 0.70, 0.30  # m: what is nearer than the car that is followed lets it shine through
LIGHT = np.array([-0.45, 0.35, 0.82])  # towards the sun
TOP_LIGHT, AMBIENT, SUN = 1.0, 0.62, 0.3
SHADOW, SHADOW_REACH = (12.0, 16.0, 14.0, 0.38), 0.6  # with its opacity; reach: of the height
CORNERS = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]], float)
# Of a cuboid's eight corners, four above four: the sides front, left, back, right and the top.
FACES = np.array([[0, 3, 7, 4], [1, 0, 4, 5], [2, 1, 5, 6], [3, 2, 6, 7], [4, 5, 6, 7]])
NORMALS = np.array([[1, 0, 0], [0, 1, 0], [-1, 0, 0], [0, -1, 0], [0, 0, 1]], float)
WHEEL, GLASS = (24, 24, 27), (52, 60, 72)


@dataclass(frozen=True)
class Cuboid:
    """Part of a thing, in the thing's own axes, m: middle ahead and left, half sizes, from `low` to `high`.

    layer: a part is drawn after those of lower layers, on which it lies."""

    ahead: float
    left: float
    half_length: float
    half_width: float
    low: float
    high: float
    color: Color
    layer: int = 0

    def corners(self) -> np.ndarray:
        """(8, 3): four below, four above."""
        flat = CORNERS * [self.half_length, self.half_width] + [self.ahead, self.left]
        return np.column_stack([np.vstack([flat, flat]), np.repeat([self.low, self.high], 4)])


class Shape:
    """What a thing looks like: its M cuboids, ready to be drawn."""

    def __init__(self, parts: Iterable[Cuboid]):
        parts = list(parts)
        self.corners = np.stack([part.corners() for part in parts])  # (M, 8, 3)
        self.colors = np.array([part.color for part in parts], float)
        self.layers = np.array([part.layer for part in parts])
        low, high = self.corners.min(axis=(0, 1)), self.corners.max(axis=(0, 1))
        middle, half = 0.5 * (low + high), 0.5 * (high - low)
        self.hull = Cuboid(middle[0], middle[1], half[0], half[1], low[2], high[2], WHEEL).corners()

    @staticmethod
    @lru_cache(maxsize=64)
    def car(color: Color) -> "Shape":
        """DeepRacer's car, 0.324 × 0.196 m, around its middle."""
        wheels = [Cuboid(a * 0.082, b * 0.085, 0.035, 0.013, 0.0, 0.070, WHEEL) for a in (1, -1) for b in (1, -1)]
        body = Cuboid(0.0, 0.0, 0.162, 0.070, 0.02, 0.075, shade(color, 0.9))
        cabin = Cuboid(-0.035, 0.0, 0.085, 0.058, 0.075, 0.115, color, 1)
        window = Cuboid(0.052, 0.0, 0.006, 0.050, 0.080, 0.108, GLASS, 1)
        mast = Cuboid(0.080, 0.0, 0.012, 0.020, 0.075, 0.135, WHEEL, 1)
        stripe = Cuboid(-0.035, 0.0, 0.085, 0.010, 0.115, 0.117, shade(color, 1.45), 2)
        return Shape([*wheels, body, cabin, window, mast, stripe])

    @staticmethod
    @lru_cache(maxsize=64)
    def box(half_length: float, half_width: float, height: float, color: Color, tape: Color) -> "Shape":
        """A box with a strip of tape over it."""
        body = Cuboid(0.0, 0.0, half_length, half_width, 0.0, height, color)
        return Shape([body, Cuboid(0.0, 0.0, half_length, 0.14 * half_width, height, height + 0.001, tape, 1)])


@dataclass(frozen=True)
class Solid:
    """A thing on the road: its middle (m), where it looks (radians), and what it looks like."""

    x: float
    y: float
    heading: float
    shape: Shape

    def placed(self, points: np.ndarray) -> np.ndarray:
        """Its own points (…, 3) in the world."""
        return points @ self.turn() + [self.x, self.y, 0.0]

    def turn(self) -> np.ndarray:
        """(3, 3): its own axes in the world, as rows."""
        cos, sin = np.cos(self.heading), np.sin(self.heading)
        return np.array([[cos, sin, 0.0], [-sin, cos, 0.0], [0.0, 0.0, 1.0]])


def faces(solids: Iterable[Solid], camera: ChaseCamera) -> tuple[np.ndarray, np.ndarray]:
    """For film_kernels.fill_quads: quads (Q, 4, 2) and colors (Q, 4), shadows first, then far things before near."""
    seen = [solid for solid in solids if (camera.project(solid.placed(solid.shape.hull))[:, 2] > NEAREST).all()]
    seen.sort(key=lambda solid: -np.hypot(solid.x - camera.x, solid.y - camera.y))
    quads, colors = [np.empty((0, 4, 2))], [np.empty((0, 4))]
    for solid in seen:
        quads.append(_shadow(solid, camera)[None])
        colors.append(np.array([SHADOW]))
    for solid in seen:
        corners, paint = _seen_faces(solid, camera)
        quads.append(corners)
        colors.append(paint)
    return np.concatenate(quads), np.concatenate(colors)


def _seen_faces(solid: Solid, camera: ChaseCamera) -> tuple[np.ndarray, np.ndarray]:
    shape = solid.shape
    eye = np.array([camera.x, camera.y, camera.height])
    corners = solid.placed(shape.corners)
    distance = np.hypot(*(corners.mean(axis=1) - eye)[:, :2].T)
    order = np.lexsort((-distance, shape.layers))
    corners, colors = corners[order], shape.colors[order]
    normals = NORMALS @ solid.turn()
    towards = np.einsum("mfk,fk->mf", eye - corners[:, FACES[:, 0]], normals) > 0
    light = np.where(normals[:, 2] > 0.5, TOP_LIGHT, AMBIENT + SUN * np.maximum(normals @ LIGHT, 0.0))
    part, face = np.nonzero(towards)
    flat = camera.project(corners)[part[:, None], FACES[face], :2]
    opacity = GLASSY if np.hypot(solid.x - camera.x, solid.y - camera.y) < IN_THE_WAY else 1.0
    return flat, np.column_stack([colors[part] * light[face, None], np.full(len(part), opacity)])


def _shadow(solid: Solid, camera: ChaseCamera) -> np.ndarray:
    """(4, 2) pixels: the outline on the ground, moved away from the sun."""
    hull = solid.shape.hull
    outline = solid.placed(hull[:4] * [1.0, 1.0, 0.0])
    away = LIGHT * [1.0, 1.0, 0.0] * SHADOW_REACH * hull[7, 2]
    return camera.project(outline - away)[:, :2]
