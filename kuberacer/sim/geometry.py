"""A track's tables for the kernels, once for each driving direction."""

from dataclasses import dataclass

import numpy as np

from kuberacer.sim.track import Track


@dataclass(frozen=True, eq=False)
class RouteTables:
    """First axis of both tables: 0 the route as it is written, 1 reversed.

    segments (2, S, 6): start x, y, unit tangent x, y, length, distance from the route's start.
    borders (2, S, 8): corners of the road beside a segment, x and y of inner 0, outer 0, outer 1, inner 1.
    """

    segments: np.ndarray
    borders: np.ndarray

    @classmethod
    def of(cls, track: Track) -> "RouteTables":
        route = track.route()
        both = [_tables(route), _tables(route[::-1])]
        return cls(*(np.ascontiguousarray(np.stack(pair)) for pair in zip(*both, strict=True)))


def _tables(route: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    center, inner, outer = route[:, :2], route[:, 2:4], route[:, 4:]
    step = np.diff(center, axis=0)
    length = np.hypot(*step.T)
    # Real routes repeat a point here and there; such a segment is its start point, whatever its tangent.
    tangent = step / np.where(length > 0.0, length, 1.0)[:, None]
    start = np.concatenate([[0.0], np.cumsum(length)[:-1]])
    segments = np.column_stack([center[:-1], tangent, length, start])
    return segments, np.hstack([inner[:-1], outer[:-1], outer[1:], inner[1:]])
