"""KubeRacer's own tracks, drawn as control points of smooth curves.

The centre line is a uniform cubic B-spline: it follows the polygon of its control points, stays within it, and its
curvature has no jumps. Borders lie half the width to both sides. Routes come out as DeepRacer writes them: (N, 6)
float64, centre, inner, outer in metres, counter-clockwise with the inner border on the left.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

ROW_SPACING = 0.12  # m along the centre line
_SAMPLES = 64  # of the spline, between two control points
_DIGITS = 5  # 10 µm: every machine draws the same route, whatever the last bits of its arithmetic


@dataclass(frozen=True)
class Drawing:
    """points: control points (C, 2) in metres, the first one at the start line. kind: what is special about it."""

    points: tuple[tuple[float, float], ...]
    width: float
    kind: str
    closed: bool = True

    def route(self) -> np.ndarray:
        """The route (N, 6); on a loop the first row comes again at the end."""
        line = _spline(np.array(self.points), self.closed)
        gone = np.append(0.0, np.cumsum(np.hypot(*np.diff(line, axis=0).T)))
        rows = round(gone[-1] / ROW_SPACING)
        at = np.linspace(0.0, gone[-1], rows + 1)
        center = np.stack([np.interp(at, gone, line[:, k]) for k in (0, 1)], axis=1)
        left = _left_normals(center, self.closed) * 0.5 * self.width
        route = np.round(np.hstack([center, center + left, center - left]), _DIGITS)
        if self.closed:
            route[-1] = route[0]
        return route


def _spline(points: np.ndarray, closed: bool) -> np.ndarray:
    """Dense points (S, 2) of the uniform cubic B-spline; a loop's first point comes again at the end."""
    if closed:
        points = np.vstack([points[-1:], points, points[:2]])
    else:
        # Mirrored end points make the curve begin and end in the outermost control points.
        points = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    u = np.arange(_SAMPLES)[:, None] / _SAMPLES
    weights = np.hstack([(1 - u) ** 3, 3 * u**3 - 6 * u**2 + 4, -3 * u**3 + 3 * u**2 + 3 * u + 1, u**3]) / 6
    pieces = [weights @ points[i : i + 4] for i in range(len(points) - 3)]
    end = np.array([[1.0, 4.0, 1.0]]) / 6 @ points[-3:]
    return np.vstack([*pieces, end])


def _left_normals(center: np.ndarray, closed: bool) -> np.ndarray:
    if closed:
        tangent = np.roll(center[:-1], -1, axis=0) - np.roll(center[:-1], 1, axis=0)
        tangent = np.vstack([tangent, tangent[:1]])
    else:
        tangent = np.gradient(center, axis=0)
    tangent /= np.hypot(*tangent.T)[:, None]
    return tangent[:, ::-1] * [-1.0, 1.0]


DRAWINGS: dict[str, Drawing] = {
    "pebble": Drawing(
        kind="round loop, the easiest",
        width=0.9,
        points=(
            (2.0, 0.0), (3.8, 0.1), (4.9, 1.2), (4.6, 2.8), (3.0, 3.5), (1.0, 3.4), (-0.3, 2.5), (0.1, 0.6),
        ),
    ),
    "kidney": Drawing(
        kind="loop with one bend to the right",
        width=0.76,
        points=(
            (2.4, 0.0), (4.2, 0.0), (6.0, 0.3), (6.7, 1.9), (5.8, 3.4), (4.3, 3.3), (3.2, 2.3), (2.1, 2.3),
            (1.2, 3.4), (-0.3, 3.6), (-1.3, 2.2), (-0.6, 0.4), (0.9, 0.0),
        ),
    ),
    "hairpin": Drawing(
        kind="long straights and a hairpin",
        width=0.76,
        points=(
            (2.6, 0.0), (4.2, 0.0), (5.8, 0.0), (7.3, 0.3), (7.6, 1.5), (6.7, 2.2), (5.2, 2.1), (3.9, 2.0),
            (2.9, 2.7), (2.4, 3.9), (1.3, 4.6), (0.0, 4.2), (-0.4, 3.0), (-0.3, 1.6), (0.1, 0.3), (1.2, 0.0),
        ),
    ),
    "chicane": Drawing(
        kind="fast loop with a chicane",
        width=0.8,
        points=(
            (2.5, 0.0), (4.5, 0.0), (6.5, 0.0), (8.4, 0.3), (9.3, 1.8), (9.1, 3.6), (7.9, 4.6), (6.4, 4.7),
            (5.3, 4.5), (4.9, 3.4), (4.5, 2.4), (3.4, 2.2), (2.6, 2.9), (1.9, 3.7), (0.7, 3.8), (-0.6, 3.2),
            (-1.0, 1.8), (-0.6, 0.4), (0.8, 0.0),
        ),
    ),
    "paperclip": Drawing(
        kind="comes close to itself",
        width=0.76,
        points=(
            (3.0, 0.0), (5.0, 0.0), (7.0, 0.0), (8.8, 0.3), (9.1, 1.9), (7.8, 2.5), (5.9, 2.7), (4.4, 2.4),
            (2.9, 1.9), (1.7, 2.4), (1.7, 3.8), (2.9, 4.3), (4.4, 3.8), (5.9, 3.5), (7.6, 3.9), (8.2, 5.2),
            (7.0, 6.1), (4.8, 6.0), (2.4, 6.0), (0.3, 5.6), (-0.4, 3.8), (-0.4, 2.0), (-0.1, 0.4), (1.3, 0.0),
        ),
    ),
    "clover": Drawing(
        kind="three leaves, left and right bends in turn",
        width=0.8,
        points=(
            (3.4, 0.0), (5.0, -0.2), (6.8, -0.2), (7.8, 1.0), (7.2, 2.4), (5.8, 2.9), (5.2, 3.9), (5.3, 5.4),
            (4.2, 6.5), (2.8, 6.3), (2.0, 5.2), (2.2, 3.8), (1.5, 2.9), (0.1, 2.4), (-0.6, 1.0), (0.3, -0.2),
            (1.9, -0.2),
        ),
    ),
    "serpent": Drawing(
        kind="winds left and right, many bends",
        width=0.7,
        points=(
            (3.0, 0.0), (5.0, 0.0), (7.0, 0.0), (9.0, 0.1), (10.2, 1.2), (9.8, 2.6), (8.4, 3.0), (7.7, 4.0),
            (8.3, 5.3), (7.8, 6.7), (6.3, 6.8), (5.5, 5.6), (5.6, 4.2), (5.2, 2.9), (3.9, 2.5), (3.0, 3.5),
            (3.2, 5.0), (2.7, 6.5), (1.2, 6.9), (0.0, 5.9), (0.1, 4.3), (-0.5, 2.9), (-0.6, 1.3), (0.1, 0.1),
            (1.4, 0.0),
        ),
    ),
    "harbor": Drawing(
        kind="a long mixture: straights, a hairpin, a chicane",
        width=0.9,
        points=(
            (4.0, 0.0), (6.0, 0.0), (8.0, 0.0), (10.0, 0.0), (12.0, 0.3), (12.9, 1.7), (12.3, 3.2), (10.7, 3.5),
            (9.0, 3.0), (7.6, 2.4), (6.4, 3.1), (6.4, 4.6), (7.6, 5.3), (9.4, 5.2), (11.2, 5.4), (12.4, 6.6),
            (12.0, 8.2), (10.3, 8.8), (8.3, 8.6), (6.4, 7.9), (4.6, 7.8), (2.8, 8.4), (1.0, 8.0), (0.4, 6.4),
            (1.4, 5.0), (1.6, 3.6), (0.4, 2.6), (0.0, 1.2), (0.9, 0.1), (2.4, 0.0),
        ),
    ),
    "speedway": Drawing(
        kind="wide and fast",
        width=1.2,
        points=(
            (9.0, 0.0), (12.5, 0.0), (16.0, 0.0), (19.5, 0.4), (22.2, 2.6), (22.8, 5.8), (20.6, 8.8), (16.8, 9.2),
            (13.0, 8.2), (9.2, 7.6), (5.6, 8.4), (2.0, 8.8), (-1.2, 7.4), (-2.4, 4.6), (-1.2, 1.6), (2.0, 0.2),
            (5.5, 0.0),
        ),
    ),
    "donkey_road": Drawing(
        kind="the donkey car's: a wide country road, bends to both sides",
        width=1.0,
        points=(
            (3.0, 0.0), (4.6, 0.0), (6.2, 0.0), (7.8, -0.4), (9.2, 0.4), (9.4, 2.0), (8.2, 2.9), (6.8, 2.5),
            (5.6, 1.9), (4.4, 2.5), (4.3, 3.9), (5.6, 4.7), (7.2, 4.7), (8.6, 5.2), (8.8, 6.7), (7.6, 7.6),
            (6.0, 7.4), (4.6, 6.8), (3.2, 7.2), (1.8, 7.6), (0.6, 6.8), (0.7, 5.4), (1.6, 4.3), (1.3, 2.9),
            (0.1, 2.0), (0.1, 0.6), (1.4, 0.0),
        ),
    ),
    "sprint": Drawing(
        kind="from start to finish, not a loop",
        width=0.9,
        closed=False,
        points=(
            (0.0, 0.0), (1.6, 0.0), (3.2, 0.0), (4.8, 0.4), (5.8, 1.6), (6.8, 2.9), (8.4, 3.2), (10.0, 2.6),
            (11.2, 1.4), (12.8, 0.9), (14.4, 1.4), (15.4, 2.6), (16.6, 3.6), (18.2, 3.8), (19.8, 3.8),
        ),
    ),
}  # fmt: skip

TRACKS: dict[str, Callable[[], np.ndarray]] = {name: partial(Drawing.route, drawn) for name, drawn in DRAWINGS.items()}
