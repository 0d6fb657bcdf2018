"""The track from above, as a picture: for videos, reward maps and lists of tracks."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from kuberacer.sim.track import Track

GRASS, ROAD, BORDER, CENTER, CAR = (63, 108, 71), (70, 74, 82), (240, 240, 240), (240, 160, 40), (214, 64, 54)
BORDER_WIDTH, CENTER_WIDTH, DASH = 0.04, 0.025, 0.12  # metres
CAR_LENGTH, CAR_WIDTH = 0.324, 0.196  # metres, DeepRacer's body
SUPERSAMPLE = 3


@dataclass(frozen=True)
class CarPose:
    """Metres; heading in degrees, counter-clockwise from x."""

    x: float
    y: float
    heading: float
    color: tuple[int, int, int] = CAR


class TopView:
    """A track drawn once; `frame` puts cars on a copy. Pictures are (height, width, 3) uint8, the world's y upwards."""

    def __init__(self, track: Track, width: int, height: int, margin: float = 0.4):
        self.width, self.height = width, height
        points = np.vstack([track.inner, track.outer])
        low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
        self.scale = float(min(width / (high[0] - low[0]), height / (high[1] - low[1])))  # pixels a metre
        center = (low + high) / 2
        self.origin = np.array([width / 2 - center[0] * self.scale, height / 2 + center[1] * self.scale])
        self.background = self._draw(track)

    def pixels(self, points: np.ndarray) -> np.ndarray:
        """(…, 2) metres -> (…, 2) pixels, x to the right and y down."""
        return self.origin + np.asarray(points, float) * [self.scale, -self.scale]

    def frame(self, cars: Sequence[CarPose] = ()) -> np.ndarray:
        """The track with cars."""
        image = self.background.copy()
        draw = ImageDraw.Draw(image)
        for car in cars:
            draw.polygon([tuple(corner) for corner in self.pixels(_corners(car))], fill=car.color, outline=BORDER)
        return np.asarray(image)

    def _draw(self, track: Track) -> Image.Image:
        big = Image.new("RGB", (self.width * SUPERSAMPLE, self.height * SUPERSAMPLE), GRASS)
        draw = ImageDraw.Draw(big)

        def line(points: np.ndarray) -> list[tuple[float, ...]]:
            closed = np.vstack([points, points[:1]]) if track.closed else points
            return [tuple(point) for point in self.pixels(closed) * SUPERSAMPLE]

        inner, outer, center = line(track.inner), line(track.outer), line(track.center)
        # Piece by piece: the road of a track that comes close to itself is no simple polygon.
        for i in range(len(inner) - 1):
            draw.polygon([inner[i], inner[i + 1], outer[i + 1], outer[i]], fill=ROAD)
        border = max(1, round(BORDER_WIDTH * self.scale * SUPERSAMPLE))
        for edge in (inner, outer):
            draw.line(edge, fill=BORDER, width=border, joint="curve")
        for dash in _dashes(np.array(center), DASH * self.scale * SUPERSAMPLE):
            draw.line(dash, fill=CENTER, width=max(1, round(CENTER_WIDTH * self.scale * SUPERSAMPLE)))
        return big.resize((self.width, self.height), Image.Resampling.LANCZOS)


def _corners(car: CarPose) -> np.ndarray:
    """The body, (4, 2) metres."""
    along = np.array([np.cos(np.radians(car.heading)), np.sin(np.radians(car.heading))])
    across = np.array([-along[1], along[0]])
    half = [(1, 1), (1, -1), (-1, -1), (-1, 1)]
    return np.array(
        [[car.x, car.y] + a * CAR_LENGTH / 2 * along + b * CAR_WIDTH / 2 * across for a, b in half], dtype=float
    )


def _dashes(points: np.ndarray, dash: float) -> list[list[tuple[float, float]]]:
    """Every other piece of length `dash` of the line through points (K, 2)."""
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(points, axis=0).T))])
    starts = np.arange(0, along[-1], 2 * dash)
    pieces = []
    for start in starts:
        at = np.linspace(start, min(start + dash, along[-1]), 4)
        x, y = (np.interp(at, along, points[:, k]).tolist() for k in (0, 1))
        pieces.append(list(zip(x, y, strict=True)))
    return pieces
