"""The ground as a grey picture, in levels of halving resolution for the camera."""

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from PIL import Image, ImageDraw

from kuberacer.sim.track import Track


@dataclass(frozen=True)
class Paint:
    """How bright the surfaces are in one channel of a picture, 0 to 255."""

    grass: int
    road: int
    dash: int
    line: int
    sky: int


# Greys of the real scene's colours after RGB -> Y: (0.299, 0.587, 0.114) of them.
GRASS, ROAD, DASH, LINE, SKY = 110, 62, 170, 235, 205
GREY = Paint(GRASS, ROAD, DASH, LINE, SKY)
RGB = {GRASS: (58, 143, 72), ROAD: (58, 62, 70), DASH: (255, 158, 24), LINE: (236, 236, 232)}
LINE_WIDTH, DASH_WIDTH, DASH_LENGTH, DASH_GAP = 0.05, 0.04, 0.20, 0.20  # m
MARGIN = 1.0  # m of grass around the track; beyond the picture there is grass too
TEXEL = 0.005  # m, doubled until the picture is small enough
MAX_TEXELS, MAX_SIDE = 1 << 24, 60_000  # a coordinate has 16 bits before the point
LEVELS = 7
SUPERSAMPLING = 2
CACHE_LINE = 64  # bytes


@dataclass(frozen=True, eq=False)
class Texture:
    """A picture and its halvings: a texel covers 2x2 of the level before.

    texels: uint8, all levels one after the other. levels (LEVELS, 4) int64: offset, stride of a row, width and
    height that are drawn. origin: (x, y) of the first texel's corner.
    """

    texels: np.ndarray
    levels: np.ndarray
    origin: tuple[float, float]
    texel: float  # m, of level 0

    @classmethod
    @lru_cache(maxsize=8)
    def of(cls, track: Track, paint: Paint = GREY) -> "Texture":
        """Draw a track's ground, once for all simulators on it. Beyond it goes on as its first texel is: grass."""
        points = np.concatenate([track.inner, track.outer])
        low, high = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
        texel = TEXEL
        while np.prod((high - low) / texel) > MAX_TEXELS or (high - low).max() / texel > MAX_SIDE:
            texel *= 2.0
        shape = [math.ceil(extent / texel / (1 << (LEVELS - 1))) << (LEVELS - 1) for extent in (high - low)]
        picture = draw_ground(track, (float(low[0]), float(low[1])), texel, (shape[0], shape[1]), paint)
        return cls(*_halve(picture, paint.grass), (float(low[0]), float(low[1])), texel)

    @cached_property
    def picture(self) -> np.ndarray:
        """Level 0 as (height, width) uint8, first row at the lowest y."""
        offset, stride, width, height = self.levels[0]
        return self.texels[offset : offset + height * stride].reshape(height, stride)[:, :width]


def draw_ground(
    track: Track, origin: tuple[float, float], texel: float, size: tuple[int, int], paint: Paint
) -> np.ndarray:
    """One channel (height, width) uint8 of the ground, antialiased; first row at the lowest y, x to the right."""
    image = Image.new("L", (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING), paint.grass)
    scale = SUPERSAMPLING / texel
    draw = ImageDraw.Draw(image)

    def fill(outline: np.ndarray, grey: int) -> None:
        draw.polygon([(float(x), float(y)) for x, y in (outline - origin) * scale], fill=grey)

    route = track.route()
    center, inner, outer = route[:, :2], route[:, 2:4], route[:, 4:]
    width = np.hypot(*(outer - inner).T)[:, None]
    edge = np.minimum(LINE_WIDTH / width, 0.25) * (outer - inner)
    for left, right, grey in ((inner, outer, paint.line), (inner + edge, outer - edge, paint.road)):
        for k in range(len(route) - 1):
            fill(np.array([left[k], left[k + 1], right[k + 1], right[k]]), grey)
    for dash in dashes(center, track.closed):
        draw.line(
            [(float(x), float(y)) for x, y in (dash - origin) * scale],
            fill=paint.dash,
            width=max(round(DASH_WIDTH * scale), 1),
        )
    return np.asarray(image.reduce(SUPERSAMPLING))


def dashes(center: np.ndarray, closed: bool) -> list[np.ndarray]:
    """The dashes of the centre line as polylines (n, 2), spread so that a loop's last gap is like the others."""
    distance = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(center, axis=0).T))])
    count = max(round(distance[-1] / (DASH_LENGTH + DASH_GAP)), 1)
    period = distance[-1] / count
    lines = []
    for start in np.arange(count) * period:
        end = start + period * DASH_LENGTH / (DASH_LENGTH + DASH_GAP)
        at = np.concatenate([[start], distance[(distance > start) & (distance < end)], [end]])
        lines.append(np.column_stack([np.interp(at, distance, center[:, 0]), np.interp(at, distance, center[:, 1])]))
    return lines


def _halve(picture: np.ndarray, grass: int) -> tuple[np.ndarray, np.ndarray]:
    """All levels of a picture whose sides are multiples of 2**(LEVELS - 1).

    A row's stride is an odd number of cache lines: with a power of two the texels above each other, which a frame walks
    over, would push one another out of the cache.
    """
    parts, levels, offset = [], [], 0
    for _ in range(LEVELS):
        height, width = picture.shape
        stride = CACHE_LINE * (-(-width // CACHE_LINE) | 1)
        padded = np.full((height, stride), grass, np.uint8)
        padded[:, :width] = picture
        parts.append(padded.ravel())
        levels.append((offset, stride, width, height))
        offset += padded.size
        blocks = picture[: height // 2 * 2, : width // 2 * 2].reshape(height // 2, 2, width // 2, 2)
        picture = ((blocks.sum(axis=(1, 3), dtype=np.uint16) + 2) >> 2).astype(np.uint8)
    return np.concatenate(parts), np.array(levels, dtype=np.int64)
