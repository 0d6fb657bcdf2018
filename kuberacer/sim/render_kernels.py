"""Camera frames of many cars: rows of sky, and rows that are affine walks over the ground's texture.

A camera without roll sees on each row a straight line of the ground, in equal steps: two additions in 16.16 fixed
point a pixel and no table of rays. Everything that numba compiles for a frame is in this one file, constants too:
numba's cache notices a change in the file of the compiled function only.
"""

import math

import numpy as np
from numba import boolean, float64, int64, njit, uint8, uint64, void

from kuberacer.sim.step_kernels import CARS

WIDTH, HEIGHT = 160, 120
CAMERA_AHEAD = 0.145
GROUND_OUTSIDE = 110
FORWARD, LATERAL, SCALE, LEVEL = range(4)
OFFSET, STRIDE, TEXELS_WIDE, TEXELS_HIGH = range(4)
SIXTEEN, UPPER, LOW = np.uint64(16), np.uint64(48), np.uint64(0xFFFF)


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
def draw_row(pixels, start, texels, levels, level, u, v, du, dv):
    """Walk over one level from (u, v) in steps (du, dv), all 16.16 texels; grass beyond the picture's edges.

    pixels: all frames, flat; the row begins at `start`."""
    first, last = 0, WIDTH
    wide, high = levels[level, TEXELS_WIDE] << 16, levels[level, TEXELS_HIGH] << 16
    end_u, end_v = u + (WIDTH - 1) * du, v + (WIDTH - 1) * dv
    if min(u, end_u) < 0 or max(u, end_u) >= wide or min(v, end_v) < 0 or max(v, end_v) >= high:
        first, last = inside_span(u, du, wide, first, last)
        first, last = inside_span(v, dv, high, first, last)
        for k in range(start, start + WIDTH):
            pixels[k] = GROUND_OUTSIDE
    # Both coordinates in one number, u in its upper half: one addition a pixel. Unsigned, or numba would look at every
    # index for a negative one.
    at = uint64(((u + first * du) << 32) + v + first * dv)
    step = uint64((du << 32) + dv)
    offset, stride = uint64(levels[level, OFFSET]), uint64(levels[level, STRIDE])
    for k in range(start + first, start + last):
        pixels[uint64(k)] = texels[offset + ((at >> SIXTEEN) & LOW) * stride + (at >> UPPER)]
        at += step


@njit(error_model="numpy")
def draw_frame(pixels, start, car, sideways, row_tables, table, texels, levels, origin_x, origin_y):
    """Sky and ground as a camera `sideways` metres left of the car's middle sees them, into pixels[start:]."""
    cos, sin = math.cos(car.heading), math.sin(car.heading)
    camera_x = car.x + CAMERA_AHEAD * cos - sideways * sin - origin_x
    camera_y = car.y + CAMERA_AHEAD * sin + sideways * cos - origin_y
    for r in range(HEIGHT):
        scale = row_tables[table, r, SCALE]
        forward, lateral = row_tables[table, r, FORWARD], row_tables[table, r, LATERAL]
        if scale == 0.0:
            sky = uint8(forward)
            for k in range(start, start + WIDTH):
                pixels[k] = sky
        else:
            left = lateral * (0.5 * WIDTH - 0.5)
            u = int64(math.floor(camera_x * scale + forward * cos - left * sin))
            v = int64(math.floor(camera_y * scale + forward * sin + left * cos))
            du, dv = int64(math.floor(lateral * sin)), int64(math.floor(-lateral * cos))
            level = int64(row_tables[table, r, LEVEL])
            draw_row(pixels, start, texels, levels, level, u, v, du, dv)
        start += WIDTH


@njit
def mix(state):
    """splitmix64's finaliser: 64 well-mixed bits of a 64-bit counter."""
    state = (state ^ (state >> uint64(30))) * uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> uint64(27))) * uint64(0x94D049BB133111EB)
    return state ^ (state >> uint64(31))


@njit
def frame_key(seed, number, car):
    """The key of a step's random numbers: its frames depend on nothing but the seed, the car's number and step."""
    key = mix(uint64(seed) + uint64(0x9E3779B97F4A7C15) * uint64(number + 1))
    key = mix(key + uint64(0x9E3779B97F4A7C15) * uint64(car.episode + 1))
    return mix(key + uint64(0x9E3779B97F4A7C15) * uint64(car.steps + 1))


@njit
def view_key(key, view):
    """The key of one camera's noise; the first camera's is the step's own."""
    return key if view == 0 else mix(key + uint64(view))


@njit
def blur_rows(frame, share):
    """Mix every pixel with its neighbours left and right: (share, 256 - 2 share, share) / 256."""
    for r in range(HEIGHT):
        before = int64(frame[r, 0])
        for k in range(WIDTH - 1):
            here = int64(frame[r, k])
            frame[r, k] = (share * (before + int64(frame[r, k + 1])) + (256 - 2 * share) * here) >> 8
            before = here


@njit
def blur_columns(frame, share):
    """The same with the neighbours above and below."""
    before = frame[0].astype(np.int64)
    for r in range(HEIGHT - 1):
        for k in range(WIDTH):
            here = int64(frame[r, k])
            frame[r, k] = (share * (before[k] + int64(frame[r + 1, k])) + (256 - 2 * share) * here) >> 8
            before[k] = here


@njit
def degrade(frame, car, lookup, key):
    """What domain randomisation does to a frame: blur, light and colour, noise (triangular, of `noise` grey levels)."""
    share = int64(car.blur * 256.0)
    if share > 0:
        blur_rows(frame, share)
        blur_columns(frame, share)
    strength = int64(car.noise * 256.0)
    pixels = frame.reshape(HEIGHT * WIDTH)
    for k in range(0, HEIGHT * WIDTH, 4):
        bits = mix(key + uint64(0x9E3779B97F4A7C15) * uint64(k + 1))
        for j in range(4):
            noise = int64(bits & uint64(255)) + int64((bits >> uint64(8)) & uint64(255)) - 255
            bits >>= SIXTEEN
            grey = int64(lookup[pixels[k + j]]) + ((noise * strength) >> 15)
            pixels[k + j] = uint8(min(max(grey, 0), 255))


@njit(
    void(
        int64, int64, boolean[::1], CARS, float64[:, :, ::1], uint8[::1], int64[:, ::1], float64, float64,
        boolean, uint8[:, ::1], float64[::1], uint64, uint8[:, :, :, ::1],
    ),
    nogil=True,
    cache=True,
)  # fmt: skip
def render_cars(
    first, last, mask, cars, row_tables, texels, levels, origin_x, origin_y, randomized, lookups, cameras, seed, frames
):
    """Draw the frames of the masked ones of cars first..last-1. cameras: metres to the left of the middle, one a view.
    A car that drops its frames leaves those before in place."""
    pixels = frames.reshape(frames.size)
    for i in range(first, last):
        if not mask[i]:
            continue
        car = cars[i]
        key = frame_key(seed, i, car)
        if randomized and car.steps > 0 and float64(key >> uint64(11)) * 2.0**-53 < car.drop:
            continue
        table = i if randomized else 0
        for view in range(len(cameras)):
            start = (i * len(cameras) + view) * HEIGHT * WIDTH
            draw_frame(pixels, start, car, cameras[view], row_tables, table, texels, levels, origin_x, origin_y)
            if randomized:
                degrade(frames[i, view], car, lookups[i], view_key(key, view))
