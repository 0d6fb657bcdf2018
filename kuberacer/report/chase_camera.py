"""The camera above and behind a car: where it is, and where a point of the world is in its picture."""

from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from kuberacer.sim.film_kernels import SQUARE

WIDTH, HEIGHT = 640, 480
BEHIND, ABOVE = 0.82, 0.85  # m from the body's middle: about 45 degrees above the car
PITCH = np.deg2rad(40.0)  # down: the car is a little below the picture's middle, the road ahead above it
FIELD_OF_VIEW = np.deg2rad(56.0)  # vertical
FARTHEST = 60.0  # m; what is farther is sky
TURN_SHARE = 0.3  # of the way to the car's heading, a step: a car that swerves does not shake the picture
JUMP = 0.6  # m in a step (nine metres a second): the car was put elsewhere, and the camera with it


@dataclass(frozen=True)
class ChaseCamera:
    """A pinhole without roll. x, y, height: m; yaw counter-clockwise from x, pitch down, radians."""

    x: float
    y: float
    yaw: float
    height: float = ABOVE
    pitch: float = PITCH

    @classmethod
    def behind(cls, x: float, y: float, yaw: float) -> "ChaseCamera":
        """Of a car with its middle at (x, y), looking along yaw (radians)."""
        return cls(x - BEHIND * np.cos(yaw), y - BEHIND * np.sin(yaw), yaw)

    @property
    def focal_length(self) -> float:
        """In pixels; they are square."""
        return float(0.5 * HEIGHT / np.tan(0.5 * FIELD_OF_VIEW))

    def project(self, points: np.ndarray) -> np.ndarray:
        """(…, 3) metres -> (…, 3): column, row, metres along the optical axis (what is not positive is behind)."""
        points = np.asarray(points, float)
        east, north, below = points[..., 0] - self.x, points[..., 1] - self.y, self.height - points[..., 2]
        ahead = east * np.cos(self.yaw) + north * np.sin(self.yaw)
        left = north * np.cos(self.yaw) - east * np.sin(self.yaw)
        depth = ahead * np.cos(self.pitch) + below * np.sin(self.pitch)
        down = below * np.cos(self.pitch) - ahead * np.sin(self.pitch)
        scale = self.focal_length / np.where(np.abs(depth) > 1e-9, depth, 1e-9)
        return np.stack([0.5 * WIDTH - scale * left, 0.5 * HEIGHT + scale * down, depth], axis=-1)

    def rows(self, texel: float, levels: int) -> np.ndarray:
        """film_kernels.draw_ground's table (HEIGHT, 4) for a ground of `texel` metres in so many levels."""
        return _rows(replace(self, x=0.0, y=0.0, yaw=0.0), texel, levels)


@lru_cache(maxsize=8)
def _rows(camera: ChaseCamera, texel: float, levels: int) -> np.ndarray:
    image = (np.arange(HEIGHT) + 0.5 - 0.5 * HEIGHT) / camera.focal_length
    cos, sin = np.cos(camera.pitch), np.sin(camera.pitch)
    down = sin + image * cos
    depth = camera.height / np.where(down > 0.0, down, np.nan)
    forward, lateral = depth * (cos - image * sin), depth / camera.focal_length
    # A pixel is longer than it is wide on the ground; the level lies between.
    length = depth * depth / (camera.height * camera.focal_length)
    level = np.clip(np.floor(np.log2(np.sqrt(lateral * length) / texel) + 0.5), 0, min(levels - 1, SQUARE))
    scale = 65536.0 / (texel * 2.0**level)
    table = np.column_stack([forward * scale, lateral * scale, scale, level])
    table[~(forward < FARTHEST)] = 0.0
    return table


def follow(x: np.ndarray, y: np.ndarray, heading: np.ndarray) -> list[ChaseCamera]:
    """The cameras (T) behind a car whose middle was at x, y (T) m with heading (T) in degrees: they turn after it."""
    yaw, cameras = np.deg2rad(heading[0]), []
    for step, wanted in enumerate(np.deg2rad(heading)):
        jumped = step and np.hypot(x[step] - x[step - 1], y[step] - y[step - 1]) > JUMP
        turn = (wanted - yaw + np.pi) % (2 * np.pi) - np.pi
        yaw += turn if jumped else TURN_SHARE * turn
        cameras.append(ChaseCamera.behind(float(x[step]), float(y[step]), float(yaw)))
    return cameras
