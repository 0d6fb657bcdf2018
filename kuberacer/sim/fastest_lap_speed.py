"""The fastest speeds along a path that is given: how the simulator's car gets from standing to the path's end.

A path is cut into segments; on each the acceleration is constant, so that the square of the speed is linear in the
distance, and tyres are judged in its middle. Full throttle forward, full brake backward, the lower of both: the exact
answer for a fixed path (Verscheure et al., "Time-optimal path tracking for robots: a convex optimization approach",
IEEE Transactions on Automatic Control 54(10), 2009, has the convex form; Lipp and Boyd, "Minimum-time speed
optimisation over a fixed path", International Journal of Control 87(6), 2014, cars).
"""

import math

import numpy as np

from kuberacer.sim import step_kernels as car
from kuberacer.sim.randomization import SPEED_LAG

GRIP = car.FRICTION * car.GRAVITY  # m/s²
TOP = car.MAX_SPEED**2
CRAWL = 1e-4  # (m/s)²; so slow a car gets around any bend, also where the segments are too long for it


def fastest_squares(lengths: np.ndarray, curvature: np.ndarray) -> np.ndarray:
    """Squared speeds (N + 1,) at the nodes of a path with segments `lengths` (N,) and `curvature` (N + 1,) in 1/m, on
    which the car begins standing."""
    limits = np.minimum(TOP, GRIP / np.maximum(np.abs(curvature), 1e-9)).tolist()
    limits[0] = 0.0
    middle = 0.5 * (curvature[:-1] + curvature[1:])
    squared_bends, steps = (0.25 * middle * middle).tolist(), lengths.tolist()
    for _ in range(2):  # the second time takes care of bends that are sharpest between two nodes
        _pass(limits, steps, squared_bends, range(len(steps)), 1)
        _pass(limits, steps, squared_bends, range(len(steps) - 1, -1, -1), 0)
    return np.array(limits)


def _pass(limits: list[float], steps: list[float], bends: list[float], order: range, ahead: int) -> None:
    """Lower `limits` in place to what is reached from the neighbour: forward with ahead 1, backward with 0."""
    for i in order:
        here = limits[i + 1 - ahead]
        reached = _reached(here, steps[i], bends[i])
        if ahead:
            reached = min(reached, _motor(here, steps[i]))
        else:
            reached = min(reached, here + 2.0 * car.MAX_ACCELERATION * steps[i])
        if reached < limits[i + ahead]:
            limits[i + ahead] = reached


def _reached(here: float, step: float, bend: float) -> float:
    """The other end's squared speed x on the friction circle: ((x - here) / 2 step)² + bend (x + here)² = GRIP²."""
    a = 0.25 / (step * step)
    rest = (a + bend) * GRIP * GRIP - 4.0 * a * bend * here * here
    return max(((a - bend) * here + math.sqrt(max(rest, 0.0))) / (a + bend), CRAWL)


def _motor(here: float, step: float) -> float:
    """The squared speed after a step at full throttle: the lag takes the last bit before the top speed away."""
    there = here + 2.0 * car.MAX_ACCELERATION * step
    if there > (car.MAX_SPEED - car.MAX_ACCELERATION * SPEED_LAG) ** 2:
        for _ in range(4):
            there = here + 2.0 * step * motor_limit(0.5 * (here + there))
    return min(there, TOP)


def motor_limit(square: float) -> float:
    """The acceleration that full throttle gives at a squared speed."""
    return max(min(car.MAX_ACCELERATION, (car.MAX_SPEED - math.sqrt(max(square, 0.0))) / SPEED_LAG), 0.0)


def seconds(lengths: np.ndarray, squares: np.ndarray) -> np.ndarray:
    """Time (N,) that each segment takes."""
    speed = np.sqrt(squares)
    return 2.0 * lengths / np.maximum(speed[:-1] + speed[1:], 1e-9)
