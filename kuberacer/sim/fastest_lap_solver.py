"""The path that a lap is fastest on: a sequence of linear programs over its offsets and the squares of its speeds.

Each program is the problem linearised at a path and its fastest speeds, with a trust region for the offsets (Griffith
and Stewart, "A nonlinear programming technique for the optimization of continuous processing systems", Management
Science 7(4), 1961); the friction circle is an outer polygon that touches it at the present point. A step counts when
the new path, with the fastest speeds on that path, takes less time. The squares of the speeds as variables are those of
Verscheure et al. 2009, see fastest_lap_speed.py; offsets from a reference path that is renewed, those of Kapania,
Subosits and Gerdes, "A sequential two-step algorithm for fast generation of vehicle racing trajectories", Journal of
Dynamic Systems, Measurement, and Control 138(9), 2016.
"""

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.interpolate import BSpline
from scipy.optimize import linprog

from kuberacer.sim import step_kernels as car
from kuberacer.sim.fastest_lap_path import Gates, PathShape
from kuberacer.sim.fastest_lap_road import spline_knots
from kuberacer.sim.fastest_lap_speed import GRIP, TOP, fastest_squares, seconds
from kuberacer.sim.randomization import SPEED_LAG

SHARPEST = float(np.tan(np.deg2rad(car.MAX_STEERING_DEG))) / car.WHEELBASE  # 1/m
EDGES = np.arange(12) * (2.0 * np.pi / 12)  # of the polygon around the friction circle
NUDGE = 1e-6  # m, of the numerical derivatives
FIRST_STEP, LARGEST_STEP, LEAST_STEP = 0.08, 0.25, 4e-4  # m, trust region of the offsets
ITERATIONS = 30
ENOUGH = 1e-4  # of the lap time: a program that promises less is the last one
FAULT_COST = 20.0  # s for a metre off the road, or a radian of steering, that a path has too much


@dataclass(frozen=True)
class Drive:
    """A path with its fastest speeds. share (N,): the part of each segment that belongs to the lap. faults: what it
    costs that the path leaves the road or bends too sharply."""

    offset: np.ndarray
    shape: PathShape
    squares: np.ndarray
    share: np.ndarray
    seconds: float
    faults: float

    @property
    def cost(self) -> float:
        return self.seconds + self.faults


def drive(gates: Gates, offset: np.ndarray) -> Drive:
    shape = gates.shape(offset)
    squares, share = fastest_squares(shape.lengths, shape.curvature), gates.finish(shape)
    too_sharp = np.maximum(np.abs(shape.curvature) - SHARPEST, 0.0) * car.WHEELBASE
    off_road = np.maximum(-shape.left, 0.0) + np.maximum(-shape.right, 0.0)
    taken = float((share * seconds(shape.lengths, squares)).sum())
    return Drive(offset, shape, squares, share, taken, FAULT_COST * float(off_road.sum() + too_sharp.sum()))


def improve(gates: Gates, knots: float) -> Drive:
    """The fastest path near the gates' reference, its offsets a cubic spline with knots this many metres apart."""
    at = gates.at
    basis = BSpline.design_matrix(at, spline_knots(0.0, float(at[-1]), knots), 3).tocsr()
    best, step = drive(gates, np.zeros(len(at))), FIRST_STEP
    for _ in range(ITERATIONS):
        wanted = _solve(_Program(gates, best, basis, step))
        if wanted is None:
            step *= 0.5
            continue
        change, promised = wanted
        tried = drive(gates, best.offset + change)
        gained = best.cost - tried.cost
        if gained > 0.0:
            best = tried
        if gained < 0.25 * promised:
            step *= 0.4
        elif gained > 0.6 * promised:
            step = min(1.6 * step, LARGEST_STEP)
        if step < LEAST_STEP or promised < ENOUGH * best.seconds:
            break
    return best


def _solve(program: "_Program") -> tuple[np.ndarray, float] | None:
    """The change of the offsets (N + 1,) and the seconds that it promises; None when the program has no solution."""
    found = linprog(program.cost, program.matrix, program.limit, bounds=program.bounds, method="highs-ds")
    if found.x is None:
        return None
    change = program.basis @ found.x[: program.basis.shape[1]]
    return change, float(program.cost @ program.present - found.fun)


class _Program:
    """Minimise cost @ x with matrix @ x <= limit within bounds (V, 2).

    x: the spline's coefficients of the offsets' change, the squared speeds (N + 1), and one slack, in metres, for a
    present path that has faults. present: x of the drive at hand.
    """

    def __init__(self, gates: Gates, now: Drive, basis: sparse.csr_array, step: float):
        self.gates, self.now, self.basis, self.count = gates, now, basis, len(now.offset)
        self.slopes = _slopes(gates, now.offset)
        self._rows: list[sparse.csr_array] = []
        self._limits: list[np.ndarray] = []
        self._add_accelerations()
        self._add_bends()
        self._add_sides()
        self.matrix, self.limit = sparse.vstack(self._rows, format="csc"), np.concatenate(self._limits)
        self.cost = self._costs()
        free, top = np.full(basis.shape[1], step), np.minimum(TOP, 2.0 * now.squares + 0.2)
        top[0] = 0.0
        low = np.concatenate([-free, np.zeros(self.count + 1)])
        self.bounds = np.stack([low, np.concatenate([free, top, [np.inf]])], axis=1)
        lacking = max(float(-np.minimum(now.shape.left, now.shape.right).min()), 0.0)
        self.present = np.concatenate([np.zeros(basis.shape[1]), now.squares, [lacking]])

    def _add(
        self, offsets: sparse.csr_array, squares: sparse.csr_array | None, limit: np.ndarray, slack: float = 0.0
    ) -> None:
        """Rows offsets @ change + squares @ speeds² - slack * the slack <= limit."""
        if squares is None:
            squares = sparse.csr_array((len(limit), self.count))
        last = sparse.csr_array(np.full((len(limit), 1), -slack))
        self._rows.append(sparse.hstack([offsets @ self.basis, squares, last], format="csr"))
        self._limits.append(limit)

    def _add_accelerations(self) -> None:
        """Friction circle, motor and brake in the middle of each segment."""
        shape, squares = self.now.shape, self.now.squares
        lengths, gain, mean = shape.lengths, _pairs(self.count, -1.0, 1.0), _pairs(self.count, 0.5, 0.5)
        forward, square, bend = 0.5 * np.diff(squares) / lengths, mean @ squares, mean @ shape.curvature
        forward_parts = _scale(-forward / shape.chords) @ self.slopes["chords"], _scale(0.5 / lengths) @ gain
        sideways_parts = _scale(square) @ (mean @ self.slopes["curvature"]), _scale(bend) @ mean
        touching = np.arctan2(square * bend, forward)
        for angle in [*(np.full(len(forward), edge) for edge in EDGES), touching]:
            along, across = _scale(np.cos(angle)), _scale(np.sin(angle))
            parts = [along @ a + across @ b for a, b in zip(forward_parts, sideways_parts, strict=True)]
            self._add(parts[0], parts[1], np.full(len(angle), GRIP))
        most = np.full(len(forward), car.MAX_ACCELERATION)
        self._add(*forward_parts, most)
        self._add(-forward_parts[0], -forward_parts[1], most)
        # The motor's lag near the top speed: (MAX_SPEED - speed) / SPEED_LAG, linear in the square.
        speed = np.sqrt(np.maximum(square, 0.25))
        lag = _scale(0.5 / (speed * SPEED_LAG)) @ mean
        self._add(forward_parts[0], forward_parts[1] + lag, (car.MAX_SPEED - 0.5 * speed) / SPEED_LAG)

    def _add_bends(self) -> None:
        """Grip at the gates, and the sharpest bend that the steering gives."""
        curvature, change = self.now.shape.curvature, self.slopes["curvature"]
        for sign in (1.0, -1.0):
            grip = np.full(self.count, GRIP)
            self._add(_scale(sign * self.now.squares) @ change, _scale(sign * curvature), grip)
            self._add(sign * change, None, SHARPEST - sign * curvature, slack=1.0 / car.WHEELBASE)

    def _add_sides(self) -> None:
        """The road's borders, and how far the gates reach."""
        for name in ("left", "right"):
            self._add(-self.slopes[name], None, getattr(self.now.shape, name), slack=1.0)
        every = _scale(np.ones(self.count))
        self._add(every, None, self.gates.reach - self.now.offset)
        self._add(-every, None, self.gates.reach + self.now.offset)

    def _costs(self) -> np.ndarray:
        """Seconds by the variables."""
        shape, share = self.now.shape, self.now.share
        speed = np.sqrt(np.maximum(self.now.squares, 1e-6))
        both = speed[:-1] + speed[1:]
        by_chord = 2.0 * share / both * shape.lengths / shape.chords
        by_speed = -2.0 * share * shape.lengths / both**2
        by_square = np.zeros(self.count)
        by_square[:-1] += 0.5 * by_speed / speed[:-1]
        by_square[1:] += 0.5 * by_speed / speed[1:]
        return np.concatenate([by_chord @ self.slopes["chords"] @ self.basis, by_square, [10.0 * FAULT_COST]])


def _scale(factors: np.ndarray) -> sparse.csr_array:
    """A diagonal matrix."""
    return sparse.csr_array(sparse.diags_array(factors))


def _pairs(count: int, first: float, second: float) -> sparse.csr_array:
    """(count - 1, count): of each neighbouring two values, their sum with these factors."""
    return sparse.csr_array(sparse.diags_array([first, second], offsets=[0, 1], shape=(count - 1, count)))


def _slopes(gates: Gates, offset: np.ndarray) -> dict[str, sparse.csr_array]:
    """Derivatives of a path's shape by its offsets: chords (N, N + 1), curvature, left, right (N + 1, N + 1).

    A gate's values depend on its own and its neighbours' offsets, so that every third one can be nudged at a time."""
    count = len(offset)
    found: dict[str, list[tuple[np.ndarray, ...]]] = {"chords": [], "curvature": [], "left": [], "right": []}
    for turn in range(3):
        nudge = NUDGE * (np.arange(count) % 3 == turn)
        more, less = gates.shape(offset + nudge), gates.shape(offset - nudge)
        for name, parts in found.items():
            slope = (getattr(more, name) - getattr(less, name)) / (2.0 * NUDGE)
            row = np.arange(len(slope))
            nudged = row + (turn - row + 1) % 3 - 1  # the one of its three offsets
            there = (nudged >= 0) & (nudged < count)
            parts.append((slope[there], row[there], nudged[there]))
    slopes = {}
    for name, parts in found.items():
        values, rows, columns = (np.concatenate(part) for part in zip(*parts, strict=True))
        shape = (count - (name == "chords"), count)
        slopes[name] = sparse.csr_array((values, (rows, columns)), shape=shape)
    return slopes
