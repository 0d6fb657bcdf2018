"""Lidar scans: rays against the objects' rectangles. The track has no walls, so most rays hit nothing."""

import math

from numba import boolean, float32, float64, int64, njit, uint64, void

from kuberacer.sim.kernel_cache import kernel
from kuberacer.sim.noise_kernels import frame_key, mix
from kuberacer.sim.solid_kernels import NOTHING, OBJECTS
from kuberacer.sim.step_kernels import CARS

COS, SIN = range(2)
NEAREST, FARTHEST, NOISE, AHEAD, FIRST_ANGLE, STEP = range(6)
LIDAR_KEY = 0x6C696461


@njit
def scans_at(steps):
    """Whether a new scan has come since the step before: 10 in a second of 15 steps."""
    return steps == 0 or 2 * steps // 3 != 2 * (steps - 1) // 3


@njit(error_model="numpy")
def ray_length(x, y, dx, dy, long, wide):
    """From (x, y) in direction (dx, dy) to the rectangle |x| <= long, |y| <= wide; infinite beside it, 0 within."""
    begin, end = 0.0, math.inf
    for at, step, half in ((x, dx, long), (y, dy, wide)):
        if step == 0.0:
            if abs(at) > half:
                return math.inf
        else:
            one, other = (-half - at) / step, (half - at) / step
            begin, end = max(begin, min(one, other)), min(end, max(one, other))
    return begin if begin <= end else math.inf


@njit
def normal(key, number):
    """The number-th normally distributed random number of a key (Box and Muller)."""
    first = mix(key + uint64(0x9E3779B97F4A7C15) * uint64(2 * number + 1))
    second = mix(key + uint64(0x9E3779B97F4A7C15) * uint64(2 * number + 2))
    radius = math.sqrt(-2.0 * math.log((float64(first >> uint64(11)) + 1.0) * 2.0**-53))
    return radius * math.cos(2.0 * math.pi * float64(second >> uint64(11)) * 2.0**-53)


@njit(error_model="numpy")
def scan_object(thing, x, y, heading, rays, limits, scan):
    """Shorten the rays that meet an object, looked for among those that point near it."""
    dx, dy = thing.x - x, thing.y - y
    away, radius = math.hypot(dx, dy), math.hypot(thing.half_length, thing.half_width)
    if thing.kind == NOTHING or away - radius > limits[FARTHEST]:
        return
    cos, sin = math.cos(thing.heading), math.sin(thing.heading)
    own_x, own_y = -dx * cos - dy * sin, dx * sin - dy * cos
    cos, sin = math.cos(heading - thing.heading), math.sin(heading - thing.heading)
    around = 2.0 * math.pi
    half = math.asin(radius / away) if away > radius else math.pi
    middle = (math.atan2(dy, dx) - heading - limits[FIRST_ANGLE]) % around
    for turn in range(-1, 2):
        at = middle + turn * around
        first = max(int64(math.floor((at - half) / limits[STEP])), 0)
        last = min(int64(math.ceil((at + half) / limits[STEP])), rays.shape[1] - 1)
        for j in range(first, last + 1):
            dx, dy = rays[COS, j] * cos - rays[SIN, j] * sin, rays[SIN, j] * cos + rays[COS, j] * sin
            length = ray_length(own_x, own_y, dx, dy, thing.half_length, thing.half_width)
            if length < scan[j]:
                scan[j] = length


@kernel(void(int64, int64, boolean[::1], CARS, OBJECTS, float64[:, ::1], float64[::1], uint64, float32[:, ::1]))
def scan_cars(first, last, mask, cars, objects, rays, limits, seed, scans):
    """What the lidars of the masked ones of cars first..last-1 see. rays (2, values): cos and sin from straight ahead.
    Between two scans the older one stays."""
    for i in range(first, last):
        car = cars[i]
        if not mask[i] or not scans_at(car.steps):
            continue
        row, scan = objects[i], scans[i]
        scan[:] = math.inf
        x, y = car.x + limits[AHEAD] * math.cos(car.heading), car.y + limits[AHEAD] * math.sin(car.heading)
        for k in range(len(row)):
            scan_object(row[k], x, y, car.heading, rays, limits, scan)
        key = mix(frame_key(seed, i, car) ^ uint64(LIDAR_KEY))
        for j in range(rays.shape[1]):
            length = float64(scan[j])
            if length < limits[FARTHEST]:
                length += limits[NOISE] * normal(key, j)
            scan[j] = min(max(length, limits[NEAREST]), limits[FARTHEST])
