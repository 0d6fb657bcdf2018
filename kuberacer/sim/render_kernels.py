"""Camera frames of many cars: rows of sky, and rows that are affine walks over the ground's texture.

A camera without roll sees on each row a straight line of the ground, in equal steps: two additions in 16.16 fixed
point a pixel and no table of rays. Everything that numba compiles for a frame is in this one file, constants too:
numba's cache notices a change in the file of the compiled function only.
"""

import math

import numpy as np
from numba import boolean, float64, int16, int32, int64, njit, uint8, uint16, uint64, void
from numba.extending import intrinsic

from kuberacer.sim.step_kernels import CARS

WIDTH, HEIGHT = 160, 120
CAMERA_AHEAD = 0.145
GROUND_OUTSIDE = 110
FORWARD, LATERAL, SCALE, LEVEL = range(4)
OFFSET, STRIDE, TEXELS_WIDE, TEXELS_HIGH = range(4)
ONE, SIXTEEN, UPPER, LOW = np.uint64(1), np.uint64(16), np.uint64(48), np.uint64(0xFFFF)
PIECES = 1 << 16  # of the noise pattern: where a piece of it can begin


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


@njit
def shown(grey, lookup):
    """A grey under the light of randomisation; without that, compiled to nothing."""
    return grey if lookup is None else lookup[uint64(grey)]


@njit(error_model="numpy")
def draw_row(pixels, start, texels, levels, level, u, v, du, dv, lookup):
    """Walk over one level from (u, v) in steps (du, dv), all 16.16 texels; grass beyond the picture's edges.

    pixels: all frames, flat; the row begins at `start`. lookup: see draw_frame."""
    first, last = 0, WIDTH
    wide, high = levels[level, TEXELS_WIDE] << 16, levels[level, TEXELS_HIGH] << 16
    end_u, end_v = u + (WIDTH - 1) * du, v + (WIDTH - 1) * dv
    if min(u, end_u) < 0 or max(u, end_u) >= wide or min(v, end_v) < 0 or max(v, end_v) >= high:
        first, last = inside_span(u, du, wide, first, last)
        first, last = inside_span(v, dv, high, first, last)
        outside = shown(uint8(GROUND_OUTSIDE), lookup)
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


@intrinsic
def plus(context, a, b):
    """a + b, as wide as they are. numba's own arithmetic widens small integers to 64 bits, and so 8 of them fill a
    register of 512 bits where 32 could."""
    return a(a, b), lambda context, builder, signature, arguments: builder.add(*arguments)


@intrinsic
def times(context, a, b):
    """a * b, as wide as they are."""
    return a(a, b), lambda context, builder, signature, arguments: builder.mul(*arguments)


@intrinsic
def shifted(context, a, b):
    """a >> b, as wide as they are."""

    def generate(context, builder, signature, arguments):
        return (builder.ashr if signature.args[0].signed else builder.lshr)(*arguments)

    return a(a, b), generate


def noise_pattern():
    """Random bytes; any two pieces of them, a frame long, add up to a frame's noise."""
    with np.errstate(over="ignore"):
        state = np.arange(1, (PIECES + HEIGHT * WIDTH) // 8 + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (state ^ (state >> np.uint64(31))).astype("<u8").view(np.uint8)


PATTERN = noise_pattern()


@njit(error_model="numpy")
def mixed(before, here, after, share, rest):
    """A pixel with its two neighbours: (share, rest, share) / 256, all uint16."""
    return shifted(plus(times(plus(before, after), share), times(here, rest)), uint16(8))


@njit(error_model="numpy")
def blur_rows(pixels, blurred, share, rest):
    """Mix every pixel with its neighbours left and right; one beyond the edge is like the one at it."""
    for k in range(1, HEIGHT * WIDTH - 1):
        at = uint64(k)
        before, after = uint16(pixels[at - ONE]), uint16(pixels[at + ONE])
        blurred[at] = uint8(mixed(before, uint16(pixels[at]), after, share, rest))
    for r in range(HEIGHT):
        left, right = uint64(r * WIDTH), uint64(r * WIDTH + WIDTH - 1)
        here, other = uint16(pixels[left]), uint16(pixels[left + ONE])
        blurred[left] = uint8(mixed(here, here, other, share, rest))
        here, other = uint16(pixels[right]), uint16(pixels[right - ONE])
        blurred[right] = uint8(mixed(other, here, here, share, rest))


@njit(error_model="numpy")
def blur_columns_add_noise(blurred, pixels, share, rest, strength, key):
    """Mix with the neighbours above and below, and add noise (triangular, of strength / 256 grey levels)."""
    first, second = uint64(key & LOW), uint64((key >> SIXTEEN) & LOW)
    scale = int32(int16(2 * strength))
    for r in range(HEIGHT):
        here, above, below = uint64(r * WIDTH), uint64(max(r - 1, 0) * WIDTH), uint64(min(r + 1, HEIGHT - 1) * WIDTH)
        for k in range(WIDTH):
            j = uint64(k)
            grey = mixed(uint16(blurred[above + j]), uint16(blurred[here + j]), uint16(blurred[below + j]), share, rest)
            noise = int16(int32(PATTERN[first + here + j]) + int32(PATTERN[second + here + j]) - 255)
            noise = int16(shifted(times(int32(noise), scale), int32(16)))
            pixels[here + j] = uint8(min(max(plus(int16(grey), noise), int16(0)), int16(255)))


@njit
def light(frame, lookup):
    """Show a frame that was drawn without one through a lookup table."""
    pixels = frame.reshape(HEIGHT * WIDTH)
    for k in range(HEIGHT * WIDTH):
        pixels[uint64(k)] = shown(pixels[uint64(k)], lookup)


@njit
def degrade(frame, car, key):
    """What domain randomisation does to a frame that is drawn: blur, noise."""
    pixels = frame.reshape(HEIGHT * WIDTH)
    share = int64(car.blur * 256.0)
    blurred = np.empty(HEIGHT * WIDTH, np.uint8)
    blur_rows(pixels, blurred, uint16(share), uint16(256 - 2 * share))
    strength = int64(car.noise * 256.0)
    blur_columns_add_noise(blurred, pixels, uint16(share), uint16(256 - 2 * share), strength, key)


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
        for view in range(len(cameras)):
            start, side = (i * len(cameras) + view) * HEIGHT * WIDTH, cameras[view]
            if randomized:
                draw_frame(pixels, start, car, side, row_tables, i, texels, levels, origin_x, origin_y, lookups[i])
                degrade(frames[i, view], car, view_key(key, view))
            else:
                draw_frame(pixels, start, car, side, row_tables, 0, texels, levels, origin_x, origin_y, None)
