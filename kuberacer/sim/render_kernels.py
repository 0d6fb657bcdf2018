"""Camera frames of many cars: rows of sky, and rows that are affine walks over the ground's texture.

A camera without roll sees on each row a straight line of the ground, in equal steps: two additions in 16.16 fixed
point a pixel and no table of rays.
"""

import math

import numpy as np
from numba import boolean, float64, int64, njit, uint8, uint64, void

from kuberacer.sim.kernel_cache import kernel
from kuberacer.sim.noise_kernels import HEIGHT, LOW, SIXTEEN, WIDTH, degrade, frame_key, shown, view_key
from kuberacer.sim.solid_kernels import CAMERA_AHEAD, OBJECTS, draw_objects
from kuberacer.sim.step_kernels import CARS

FORWARD, LATERAL, SCALE, LEVEL = range(4)
OFFSET, STRIDE, TEXELS_WIDE, TEXELS_HIGH = range(4)
UPPER = np.uint64(48)


@njit
def inside_span(start, step, end, first, last):
    """The part of pixels first..last-1 for which 0 <= start + k * step < end (integers)."""
    if step == 0:
        return (first, last) if 0 <= start < end else (first, first)
    if step > 0:
        low, high = -(start // step), (end - 1 - start) // step
    else:
        low, high = -((end - 1 - start) // -step), start // -step
    return max(first, low), min(last, high + 1)


@njit(error_model="numpy")
def draw_row(pixels, start, texels, levels, level, u, v, du, dv, lookup):
    """Walk over one level from (u, v) in steps (du, dv), all 16.16 texels; beyond the picture's edges it goes on as its
    first texel is.

    pixels: all frames, flat; the row begins at `start`. lookup: see draw_frame."""
    first, last = 0, WIDTH
    wide, high = levels[level, TEXELS_WIDE] << 16, levels[level, TEXELS_HIGH] << 16
    end_u, end_v = u + (WIDTH - 1) * du, v + (WIDTH - 1) * dv
    if min(u, end_u) < 0 or max(u, end_u) >= wide or min(v, end_v) < 0 or max(v, end_v) >= high:
        first, last = inside_span(u, du, wide, first, last)
        first, last = inside_span(v, dv, high, first, last)
        outside = shown(texels[0], lookup)
        for k in range(start, start + WIDTH):
            pixels[k] = outside
    # Both coordinates in one number, u in its upper half: one addition a pixel. Unsigned, or numba would look at every
    # index for a negative one.
    at = uint64(((u + first * du) << 32) + v + first * dv)
    step = uint64((du << 32) + dv)
    offset, stride = uint64(levels[level, OFFSET]), uint64(levels[level, STRIDE])
    for k in range(start + first, start + last):
        pixels[uint64(k)] = shown(texels[offset + ((at >> SIXTEEN) & LOW) * stride + (at >> UPPER)], lookup)
        at += step


@njit(error_model="numpy")
def draw_frame(pixels, start, car, sideways, row_tables, table, texels, levels, origin_x, origin_y, lookup):
    """Sky and ground as a camera `sideways` metres left of the car's middle sees them, into pixels[start:].

    lookup: what each grey is shown as, (256,) uint8, or None. Here it costs a third of what a pass of its own would."""
    cos, sin = math.cos(car.heading), math.sin(car.heading)
    camera_x = car.x + CAMERA_AHEAD * cos - sideways * sin - origin_x
    camera_y = car.y + CAMERA_AHEAD * sin + sideways * cos - origin_y
    for r in range(HEIGHT):
        scale = row_tables[table, r, SCALE]
        forward, lateral = row_tables[table, r, FORWARD], row_tables[table, r, LATERAL]
        if scale == 0.0:
            sky = shown(uint8(forward), lookup)
            for k in range(start, start + WIDTH):
                pixels[k] = sky
        else:
            left = lateral * (0.5 * WIDTH - 0.5)
            u = int64(math.floor(camera_x * scale + forward * cos - left * sin))
            v = int64(math.floor(camera_y * scale + forward * sin + left * cos))
            du, dv = int64(math.floor(lateral * sin)), int64(math.floor(-lateral * cos))
            level = int64(row_tables[table, r, LEVEL])
            draw_row(pixels, start, texels, levels, level, u, v, du, dv, lookup)
        start += WIDTH


@kernel(void(float64, float64, float64, float64, float64, int64, float64, float64[:, ::1]))
def fill_row_table(height, pitch, focal_length, texel, farthest, levels, sky, table):
    """See Camera.row_table; what other modules define comes as an argument: kernels import kernels only."""
    cos, sin = math.cos(pitch), math.sin(pitch)
    for r in range(len(table)):
        down_image = (r + 0.5 - 0.5 * len(table)) / focal_length
        down = sin + down_image * cos  # of a ray one metre long along the optical axis
        depth = height / down if down > 0.0 else math.inf
        forward = depth * (cos - down_image * sin)
        if not forward < farthest:
            table[r, 0], table[r, 1], table[r, 2], table[r, 3] = sky, 0.0, 0.0, 0.0
            continue
        lateral = depth / focal_length
        level = min(max(math.floor(math.log2(max(1.5 * lateral / texel, 1.0))), 0), levels - 1)
        scale = 65536.0 / (texel * 2.0**level)
        table[r, 0], table[r, 1], table[r, 2], table[r, 3] = forward * scale, lateral * scale, scale, level


@kernel(
    void(
        int64, int64, boolean[::1], CARS, float64[:, :, ::1], uint8[::1], int64[:, ::1], float64, float64,
        boolean, uint8[:, ::1], float64[::1], float64[:, ::1], OBJECTS, uint64, uint8[:, :, :, ::1],
    ),
)  # fmt: skip
def render_cars(
    first, last, mask, cars, row_tables, texels, levels, origin_x, origin_y, randomized, lookups, cameras, lenses,
    objects, seed, frames,
):  # fmt: skip
    """Draw the frames of the masked ones of cars first..last-1. cameras: metres to the left of the middle, one a view.
    A car that drops its frames leaves those before in place."""
    pixels = frames.reshape(frames.size)
    scratch = np.empty((4, 3)), np.empty((8, 3))
    for i in range(first, last):
        if not mask[i]:
            continue
        car, things = cars[i], objects[i]
        key = frame_key(seed, i, car)
        if randomized and car.steps > 0 and float64(key >> uint64(11)) * 2.0**-53 < car.drop:
            continue
        for view in range(len(cameras)):
            start, side = (i * len(cameras) + view) * HEIGHT * WIDTH, cameras[view]
            if randomized:
                lookup = lookups[i]
                draw_frame(pixels, start, car, side, row_tables, i, texels, levels, origin_x, origin_y, lookup)
                draw_objects(pixels, start, car, side, lenses[i], things, scratch, lookup)
                degrade(frames[i, view], car, view_key(key, view))
            else:
                draw_frame(pixels, start, car, side, row_tables, 0, texels, levels, origin_x, origin_y, None)
                draw_objects(pixels, start, car, side, lenses[0], things, scratch, None)
