"""Mountain Car with 10,000 steps an episode instead of Gymnasium's 200 or 999: chance finds the top by itself.

Moore, A.: Efficient Memory-Based Learning for Robot Control, PhD thesis, University of Cambridge, 1990.
"""

import math
from typing import Any, ClassVar

import numpy as np
from gymnasium.envs.classic_control.continuous_mountain_car import Continuous_MountainCarEnv
from gymnasium.envs.classic_control.mountain_car import MountainCarEnv
from gymnasium.wrappers import TimeLimit
from PIL import Image, ImageDraw

PATIENCE = 10_000  # steps
SIZE = (300, 200)  # of a picture, pixels
SKY, HILL, CAR, FLAG, WHEEL = (255, 255, 255), (60, 60, 60), (200, 60, 40), (30, 140, 60), (90, 90, 90)
SEEN = ("position", "velocity")


def draw(position: float, lowest: float, highest: float, goal: float) -> np.ndarray:
    """(200, 300, 3) uint8: the car on its hill. Gymnasium's own pictures need pygame."""
    width, height = SIZE

    def place(x: float) -> tuple[float, float]:
        across = (x - lowest) / (highest - lowest) * (width - 1)
        return across, height - (math.sin(3 * x) * 0.45 + 0.55) * height * 0.75 - 10

    picture = Image.new("RGB", SIZE, SKY)
    pen = ImageDraw.Draw(picture)
    road = [place(lowest + (highest - lowest) * i / 100) for i in range(101)]
    pen.line(road, fill=HILL, width=2)
    across, up = place(goal)
    pen.line([(across, up), (across, up - 25)], fill=HILL, width=1)
    pen.polygon([(across, up - 25), (across, up - 15), (across + 12, up - 20)], fill=FLAG)
    across, up = place(position)
    slope = math.atan2(-math.cos(3 * position) * 1.35 * height * 0.75, width / (highest - lowest))
    along, above = np.array([math.cos(slope), math.sin(slope)]), np.array([math.sin(slope), -math.cos(slope)])
    middle = np.array([across, up]) + above * 4
    corners = [middle + along * a + above * b for a, b in ((-11, 0), (11, 0), (11, 9), (-11, 9))]
    pen.polygon([tuple(corner) for corner in corners], fill=CAR)
    for side in (-6, 6):
        x, y = middle + along * side
        pen.ellipse([x - 3, y - 3, x + 3, y + 3], fill=WHEEL)
    return np.asarray(picture)


class _DrawnDiscrete(MountainCarEnv):
    meanings: ClassVar = {"observation": SEEN, "action": ("left", "nothing", "right")}

    def render(self) -> Any:
        return draw(float(self.state[0]), self.min_position, self.max_position, self.goal_position)


class _DrawnContinuous(Continuous_MountainCarEnv):
    meanings: ClassVar = {"observation": SEEN, "action": ("push",)}

    def render(self) -> Any:
        return draw(float(self.state[0]), self.min_position, self.max_position, self.goal_position)


class PatientMountainCar(TimeLimit):
    """Discrete: push left, nothing, or right; −1 a step until the top is reached."""

    def __init__(self, render_mode: str | None = None):
        super().__init__(_DrawnDiscrete(render_mode=render_mode), PATIENCE)


class PatientContinuousMountainCar(TimeLimit):
    """Continuous: push with −1..1; +100 at the top, minus a tenth of the squared pushes."""

    def __init__(self, render_mode: str | None = None):
        super().__init__(_DrawnContinuous(render_mode=render_mode), PATIENCE)
