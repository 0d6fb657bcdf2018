"""Pictures of videos: rows of coloured ground, shaded quadrilaterals in front of it, and the colours of H.264.

As in render_kernels.py a row of ground is an affine walk over a picture of it, here in colour and interpolated: a texel
holds red, green and blue in three lanes of 16 bits, so that one multiplication weighs all three.
"""

import math

import numpy as np
from numba import float64, int64, njit, types, uint8, uint64, void

from kuberacer.sim.kernel_cache import kernel

FORWARD, LATERAL, SCALE, LEVEL = range(4)
OFFSET, STRIDE, TEXELS_WIDE, TEXELS_HIGH = range(4)
SQUARE = 7  # grass far outside is a chequer of squares of 2**SQUARE texels of level 0, as the picture's own
EIGHT, SIXTEEN, THIRTY_TWO, BYTE = np.uint64(8), np.uint64(16), np.uint64(32), np.uint64(0xFF)


@njit
def blend(texels, at, stride, share_u, share_v):
    """The four texels from index `at` on, weighed by 8-bit shares: three lanes of 16 bits, 8 of them fraction."""
    both = (share_u * share_v) >> EIGHT
    one = uint64(256) - share_u - share_v + both
    return (
        texels[at] * one
        + texels[at + uint64(1)] * (share_u - both)
        + texels[at + stride] * (share_v - both)
        + texels[at + stride + uint64(1)] * both
    )


@njit(error_model="numpy")
def ground_row(row, texels, levels, level, u, v, du, dv, grass):
    """Walk from (u, v) in steps (du, dv), all 16.16 texels of the level, measured to the texels' middles."""
    wide, high = levels[level, TEXELS_WIDE] - 1, levels[level, TEXELS_HIGH] - 1
    offset, stride = uint64(levels[level, OFFSET]), uint64(levels[level, STRIDE])
    square = SQUARE - level
    for k in range(row.shape[0]):
        i, j = u >> 16, v >> 16
        if 0 <= i < wide and 0 <= j < high:
            at = offset + uint64(j) * stride + uint64(i)
            color = blend(texels, at, stride, uint64((u >> 8) & 255), uint64((v >> 8) & 255))
        else:
            color = grass[((i >> square) + (j >> square)) & 1] << EIGHT
        row[k, 0] = uint8((color >> EIGHT) & BYTE)
        row[k, 1] = uint8((color >> (SIXTEEN + EIGHT)) & BYTE)
        row[k, 2] = uint8((color >> (THIRTY_TWO + EIGHT)) & BYTE)
        u += du
        v += dv


@kernel(
    void(
        uint8[:, :, ::1], float64[:, ::1], float64, float64, float64, uint64[::1], int64[:, ::1], uint64[::1],
        uint8[:, ::1],
    ),
    error_model="numpy",
)  # fmt: skip
def draw_ground(frame, rows, x, y, yaw, texels, levels, grass, sky):
    """Sky and ground as a camera without roll sees them, all of frame (height, width, 3).

    rows (height, 4): distance ahead and size of a pixel across, in 16.16 texels of the row's level, the level's 16.16
    texels a metre (0: sky), the level. x, y: of the camera from the picture's corner, m. grass: its two colours.
    sky (height, 3): the colour of a row of it.
    """
    width = frame.shape[1]
    cos, sin = math.cos(yaw), math.sin(yaw)
    for r in range(frame.shape[0]):
        scale = rows[r, SCALE]
        if scale == 0.0:
            for k in range(width):
                frame[r, k] = sky[r]
            continue
        forward, lateral = rows[r, FORWARD], rows[r, LATERAL]
        left = lateral * (0.5 * width - 0.5)
        u = int64(math.floor(x * scale + forward * cos - left * sin)) - 32768
        v = int64(math.floor(y * scale + forward * sin + left * cos)) - 32768
        du, dv = int64(math.floor(lateral * sin)), int64(math.floor(-lateral * cos))
        ground_row(frame[r], texels, levels, int64(rows[r, LEVEL]), u, v, du, dv, grass)


@njit
def edges_of(corners, edges):
    """(a, b, c) of each edge: a·column + b·row + c is the distance to it, positive inside; False without area."""
    area = 0.0
    for e in range(4):
        f = (e + 1) & 3
        area += corners[e, 0] * corners[f, 1] - corners[f, 0] * corners[e, 1]
    if abs(area) < 0.1:
        return False
    sign = 1.0 if area > 0.0 else -1.0
    for e in range(4):
        f = (e + 1) & 3
        across, down = corners[f, 0] - corners[e, 0], corners[f, 1] - corners[e, 1]
        size = math.hypot(across, down)
        if size < 1e-9:  # two corners are one: the edge says nothing
            edges[e] = 0.0
            edges[e, 2] = 1e9
            continue
        edges[e, 0], edges[e, 1] = -down / size * sign, across / size * sign
        edges[e, 2] = -(edges[e, 0] * corners[e, 0] + edges[e, 1] * corners[e, 1])
    return True


@kernel(void(uint8[:, :, ::1], float64[:, :, ::1], float64[:, ::1]), error_model="numpy")
def fill_quads(frame, quads, colors):
    """Paint convex quadrilaterals one over the other, with smooth edges.

    quads (Q, 4, 2): column and row of the corners. colors (Q, 4): red, green, blue, opacity 0..1.
    """
    height, width = frame.shape[:2]
    edges = np.empty((4, 3))
    for q in range(len(quads)):
        corners = quads[q]
        if not edges_of(corners, edges):
            continue
        first = max(int64(math.floor(corners[:, 0].min() - 1.0)), 0)
        last = min(int64(math.ceil(corners[:, 0].max() + 1.0)), width)
        top = max(int64(math.floor(corners[:, 1].min() - 1.0)), 0)
        bottom = min(int64(math.ceil(corners[:, 1].max() + 1.0)), height)
        for r in range(top, bottom):
            for k in range(first, last):
                inside = 1e9
                for e in range(4):
                    inside = min(inside, edges[e, 0] * (k + 0.5) + edges[e, 1] * (r + 0.5) + edges[e, 2])
                # A quarter of a pixel wider: faces that share an edge leave no seam.
                share = min(max(inside + 0.75, 0.0), 1.0) * colors[q, 3]
                if share > 0.0:
                    for c in range(3):
                        frame[r, k, c] = uint8(frame[r, k, c] * (1.0 - share) + colors[q, c] * share + 0.5)


@kernel(void(types.Array(uint8, 3, "C", readonly=True), uint8[:, ::1]))
def to_yuv420(picture, planes):
    """Red, green, blue (height, width, 3), both even -> BT.601's luma and halved chroma in video range, as H.264 has
    it: planes (3/2 height, width), luma first, then blue and red difference."""
    height, width = picture.shape[:2]
    half, flat = width // 2, planes.reshape(planes.size)
    blue, red = height * width, height * width + (height // 2) * half
    for r in range(0, height, 2):
        for k in range(half):
            sums = (int64(0), int64(0), int64(0))
            for j in range(4):
                pixel = picture[r + (j >> 1), 2 * k + (j & 1)]
                one, two, three = int64(pixel[0]), int64(pixel[1]), int64(pixel[2])
                planes[r + (j >> 1), 2 * k + (j & 1)] = uint8(16 + ((66 * one + 129 * two + 25 * three + 128) >> 8))
                sums = (sums[0] + one, sums[1] + two, sums[2] + three)
            at = (r // 2) * half + k
            flat[blue + at] = uint8(128 + ((-38 * sums[0] - 74 * sums[1] + 112 * sums[2] + 512) >> 10))
            flat[red + at] = uint8(128 + ((112 * sums[0] - 94 * sums[1] - 18 * sums[2] + 512) >> 10))


@kernel(void(uint8[:, :, ::1], types.Array(uint8, 3, "A", readonly=True), int64, int64))
def stamp(picture, stencil, left, top):
    """Lay a stencil (h, w, 4), colour and opacity, over the picture; what lies beyond its borders is cut."""
    for r in range(max(-top, 0), min(stencil.shape[0], picture.shape[0] - top)):
        for k in range(max(-left, 0), min(stencil.shape[1], picture.shape[1] - left)):
            share = int64(stencil[r, k, 3])
            if share:
                for c in range(3):
                    under, over = int64(picture[top + r, left + k, c]), int64(stencil[r, k, c])
                    picture[top + r, left + k, c] = uint8((under * (255 - share) + over * share + 127) // 255)
