"""The ground in colour, in levels of halving resolution: what the camera behind the car looks down on."""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from kuberacer.report.paint import Color
from kuberacer.sim.film_kernels import SQUARE
from kuberacer.sim.texture import DASH_WIDTH, LINE_WIDTH, dashes
from kuberacer.sim.track import Track

GRASS: tuple[Color, Color] = ((64, 122, 66), (70, 130, 71))  # a chequer, so that speed shows off the road, too
ROAD, LINE, DASH, FINISH = (62, 66, 74), (238, 238, 234), (250, 166, 42), (30, 32, 36)
PALETTE: tuple[Color, ...] = (*GRASS, ROAD, LINE, DASH, FINISH)
MARGIN = 0.6  # m of grass around the track
TEXEL = 0.005  # m, doubled until the picture is small enough
MAX_TEXELS = 1 << 23  # of 8 bytes
LEVELS, SUPERSAMPLING = 5, 3
FINISH_DEPTH = 0.16  # m along the road, two rows of squares


@dataclass(frozen=True, eq=False)
class Ground:
    """texels (all levels, one after the other) uint64: three lanes of 16 bits, red lowest; levels (LEVELS, 4) int64:
    offset, stride, width, height. origin: (x, y) of the first texel's corner; texel: m, of level 0."""

    texels: np.ndarray
    levels: np.ndarray
    origin: tuple[float, float]
    texel: float

    @classmethod
    @lru_cache(maxsize=2)
    def of(cls, track: Track) -> "Ground":
        points = np.concatenate([track.inner, track.outer])
        low, high = points.min(axis=0) - MARGIN, points.max(axis=0) + MARGIN
        texel = TEXEL
        while np.prod((high - low) / texel) > MAX_TEXELS:
            texel *= 2.0
        # Whole squares of the chequer: the halvings come out even, and the chequer outside goes on.
        wide, high_ = (math.ceil(extent / texel / (1 << SQUARE)) << SQUARE for extent in high - low)
        origin = (float(low[0]), float(low[1]))
        return cls(*_halve(pack(draw(track, origin, texel, (wide, high_)))), origin, texel)


def pack(colors: np.ndarray) -> np.ndarray:
    """(…, 3) uint8 -> (…) uint64."""
    red, green, blue = np.moveaxis(colors.astype(np.uint64), -1, 0)
    return red | green << np.uint64(16) | blue << np.uint64(32)


def draw(track: Track, origin: tuple[float, float], texel: float, size: tuple[int, int]) -> np.ndarray:
    """(height, width, 3) uint8, antialiased; first row at the lowest y, x to the right."""
    # Drawn with colours' numbers, a byte a pixel: in colour it would not fit where the track is large.
    image = _chequer(size)
    scale = SUPERSAMPLING / texel
    brush = ImageDraw.Draw(image)

    def fill(outline: np.ndarray, color: Color) -> None:
        brush.polygon([(float(x), float(y)) for x, y in (outline - origin) * scale], fill=PALETTE.index(color))

    route = track.route()
    center, inner, outer = route[:, :2], route[:, 2:4], route[:, 4:]
    edge = np.minimum(LINE_WIDTH / np.hypot(*(outer - inner).T)[:, None], 0.25) * (outer - inner)
    for left, right, color in ((inner, outer, LINE), (inner + edge, outer - edge, ROAD)):
        for k in range(len(route) - 1):
            fill(np.array([left[k], left[k + 1], right[k + 1], right[k]]), color)
    width = max(round(DASH_WIDTH * scale), 1)
    for dash in dashes(center, track.closed):
        points = [(float(x), float(y)) for x, y in (dash - origin) * scale]
        brush.line(points, fill=PALETTE.index(DASH), width=width)
    for square, color in finish_line(inner[0] + edge[0], outer[0] - edge[0]):
        fill(square, color)
    return _reduced(np.asarray(image))


def finish_line(left: np.ndarray, right: np.ndarray) -> list[tuple[np.ndarray, Color]]:
    """Squares (4, 2) with their colours, from one side of the road to the other."""
    across = right - left
    along = np.array([across[1], -across[0]]) / np.hypot(*across) * FINISH_DEPTH / 2
    count = max(round(float(np.hypot(*across)) / FINISH_DEPTH * 2), 2)
    found = []
    for row in range(2):
        for k in range(count):
            near, far = left + across * k / count, left + across * (k + 1) / count
            corners = np.array([near, far, far, near]) + np.outer([row - 1, row - 1, row, row], along)
            found.append((corners, LINE if (row + k) % 2 else FINISH))
    return found


def _chequer(size: tuple[int, int]) -> Image.Image:
    squares = (np.indices((size[1] >> SQUARE, size[0] >> SQUARE)).sum(axis=0) & 1).astype(np.uint8)
    whole = (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING)
    return Image.fromarray(squares).resize(whole, Image.Resampling.NEAREST)


def _reduced(numbers: np.ndarray) -> np.ndarray:
    """Colours' numbers -> colours, each the mean over a square of SUPERSAMPLING pixels; piece by piece."""
    pieces, tall, colors = [], SUPERSAMPLING << SQUARE, np.array(PALETTE, np.uint8)
    for top in range(0, len(numbers), tall):
        pieces.append(np.asarray(Image.fromarray(colors[numbers[top : top + tall]]).reduce(SUPERSAMPLING)))
    return np.concatenate(pieces)


def _halve(picture: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """All levels of a packed picture whose sides are multiples of 2**SQUARE."""
    parts, levels, offset = [], [], 0
    two, mask = np.uint64(2), np.uint64(0x00FF00FF00FF)
    for _ in range(LEVELS):
        height, width = picture.shape
        parts.append(picture.ravel())
        levels.append((offset, width, width, height))
        offset += picture.size
        total = picture[::2, ::2] + picture[1::2, ::2] + picture[::2, 1::2] + picture[1::2, 1::2]
        picture = (total >> two) & mask
    return np.concatenate(parts), np.array(levels, np.int64)
