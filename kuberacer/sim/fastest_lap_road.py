"""A road as the fastest lap needs it: the centre line with what follows behind the finish, and the borders."""

import numpy as np
from scipy.interpolate import make_lsq_spline

from kuberacer.sim import step_kernels as car
from kuberacer.sim.route_checks import CLOSED_WITHIN

WINDOW = 0.6  # m along the road in which the border beside a wheel is looked for
SMOOTHNESS = 0.4  # m between the knots of the curve through a route's rows
BEHIND_FINISH = 0.6  # m
AROUND = 3.0  # m of road before the line and behind the finish
PROLONGED = np.arange(0.1, AROUND, 0.1)


class Road:
    """Polylines (R, 2) of the centre and both borders; the road before the line and behind the finish is there too, on
    a loop a second time, else straight on. `at` (R,): metres along the centre line, 0 at the line.

    length: metres from the line to the finish. middle (M, 2): a smooth path along the centre, from where the standing
    car's origin is to behind the finish. start_heading (2,): unit vector of the standing car.
    """

    def __init__(self, route: np.ndarray):
        """route (N, 6): centre, inner, outer, in the order in which they are driven."""
        closed = bool(np.hypot(*(route[0, :2] - route[-1, :2])) < CLOSED_WITHIN)
        route = route[np.append(np.hypot(*np.diff(route[:, :2], axis=0).T) > 1e-9, True)]
        at = np.append(0.0, np.cumsum(np.hypot(*np.diff(route[:, :2], axis=0).T)))
        self.length = float(at[-1])
        if closed:
            around = np.vstack([route[:-1], route[:-1], route])
            at = np.concatenate([at[:-1] - self.length, at[:-1], at + self.length])
            near = (at > -AROUND) & (at < self.length + AROUND)
            route, at = around[near], at[near]
        else:
            route, at = _prolonged(route), np.concatenate([-PROLONGED[::-1], at, self.length + PROLONGED])
        self.at, self.center = at, route[:, :2]
        step, across = np.diff(self.center, axis=0), (route[:, 2:4] - route[:, 4:])[:-1]
        swapped = (step[:, 0] * across[:, 1] - step[:, 1] * across[:, 0]).sum() < 0.0
        self._left, self._right = (route[:, i : i + 2] for i in ((4, 2) if swapped else (2, 4)))
        # A route's rows are corners, in which no car turns: a curve, by least squares.
        dense = np.linspace(at[0], at[-1], int(np.ceil((at[-1] - at[0]) / 0.05)) + 1)
        points = np.stack([np.interp(dense, at, self.center[:, k]) for k in (0, 1)], axis=1)
        curve = make_lsq_spline(dense, points, spline_knots(float(at[0]), float(at[-1]), SMOOTHNESS))
        self.first = -car.FRONT if closed else 0.0
        last = self.length + BEHIND_FINISH
        self.middle = curve(np.linspace(self.first, last, int(np.ceil((last - self.first) / 0.1)) + 1))
        heading = curve(self.first, 1)
        self.start_heading = heading / np.hypot(*heading)

    def projections(self, points: np.ndarray, first: float) -> np.ndarray:
        """Metres (M,) along the centre line of points (M, 2), each looked for near the one before, the first one near
        `first`."""
        found, here = np.empty(len(points)), first
        for i, point in enumerate(points):
            low, high = np.searchsorted(self.at, (here - 1.0, here + 1.0))
            low, high = max(low - 1, 0), min(high + 1, len(self.at))
            start, step = self.center[low : high - 1], np.diff(self.center[low:high], axis=0)
            share = np.clip(((point - start) * step).sum(axis=1) / (step**2).sum(axis=1), 0.0, 1.0)
            k = ((start + share[:, None] * step - point) ** 2).sum(axis=1).argmin()
            here = self.at[low + k] + share[k] * (self.at[low + k + 1] - self.at[low + k])
            found[i] = here
        return found

    def borders(self, distance: np.ndarray) -> "tuple[Border, Border]":
        """Left and right border beside gates (N + 1,) metres along the centre line."""
        return Border(self._left, self.at, distance), Border(self._right, self.at, distance)


def _prolonged(route: np.ndarray) -> np.ndarray:
    """The rows with others before and behind them, every tenth metre straight on along the centre."""
    metres = PROLONGED[:, None]
    before, after = (
        route[end] + metres * np.tile(way / np.hypot(*way), 3)
        for end, way in ((0, route[0, :2] - route[1, :2]), (-1, route[-1, :2] - route[-2, :2]))
    )
    return np.vstack([before[::-1], route, after])


class Border:
    """A border's part near each gate: line (R, 2) of rows `at` (R,) along the road, gates at `distance` (N + 1,)."""

    def __init__(self, line: np.ndarray, at: np.ndarray, distance: np.ndarray):
        apart = np.append(np.hypot(*np.diff(line, axis=0).T) > 1e-6, True)
        line, at = line[apart], at[apart]
        step = np.diff(line, axis=0)
        size = np.hypot(*step.T)
        along = step / size[:, None]
        at_rows = np.vstack([along[:1], along[:-1] + along[1:], along[-1:]])
        at_rows /= np.maximum(np.hypot(*at_rows.T), 1e-9)[:, None]
        first = np.searchsorted(at, distance - WINDOW) - 1
        count = int((np.searchsorted(at, distance + WINDOW) - first).max())
        near = np.clip(first[:, None] + np.arange(count), 0, len(step) - 1)
        self.start, self.along, self.size = line[near], along[near], size[near]
        self.before, self.after = at_rows[near], at_rows[near + 1]

    def inside(self, points: np.ndarray, side: float) -> np.ndarray:
        """Metres (N + 1,) that the points are to the right of the border; to its left with side -1."""
        gap = points[:, None] - self.start
        on = np.clip((gap * self.along).sum(axis=2), 0.0, self.size)
        off = gap - on[..., None] * self.along
        k = (off**2).sum(axis=2).argmin(axis=1)
        pick = np.arange(len(points)), k
        share = (on[pick] / self.size[pick])[:, None]
        way = (1.0 - share) * self.before[pick] + share * self.after[pick]
        way /= np.hypot(*way.T)[:, None]
        return side * (off[pick][:, 0] * way[:, 1] - off[pick][:, 1] * way[:, 0])


def spline_knots(first: float, last: float, spacing: float) -> np.ndarray:
    """Of a cubic spline from `first` to `last`, about `spacing` apart, with ends that are its end points."""
    inner = np.linspace(first, last, max(round((last - first) / spacing), 1) + 1)
    return np.concatenate([[first] * 3, inner, [last] * 3])
