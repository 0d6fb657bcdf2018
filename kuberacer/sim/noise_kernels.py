"""Random numbers, and what domain randomisation does to a frame that is drawn: light, blur, noise."""

import math

import numpy as np
from numba import float64, int16, int32, int64, njit, uint8, uint16, uint64, void
from numba.extending import intrinsic

from kuberacer.sim.kernel_cache import kernel
from kuberacer.sim.step_kernels import CARS

WIDTH, HEIGHT = 160, 120
ONE, SIXTEEN, LOW = np.uint64(1), np.uint64(16), np.uint64(0xFFFF)
PIECES = 1 << 16  # of the noise pattern: where a piece of it can begin


@njit
def shown(grey, lookup):
    """A grey under the light of randomisation; without that, compiled to nothing."""
    return grey if lookup is None else lookup[uint64(grey)]


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
    return shifted(plus(times(plus(before, after), share), times(here, rest)), uint16(8))  # type: ignore[call-arg]


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
            noise = int16(shifted(times(int32(noise), scale), int32(16)))  # type: ignore[call-arg]
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


@kernel(void(uint64, int64, int64, float64[::1]))
def fill_draws(seed, car, episode, numbers):
    """Random numbers 0 <= number < 1."""
    gamma = uint64(0x9E3779B97F4A7C15)
    state = mix(seed + gamma * uint64(car + 1))
    state = mix(state + gamma * uint64(episode + 1))
    for k in range(len(numbers)):
        state += gamma
        numbers[k] = float64(mix(state) >> uint64(11)) * 2.0**-53


@kernel(void(float64[::1], float64[::1], float64, float64, uint8[::1]))
def fill_lookup(surfaces, greys, gamma, light, lookup):
    """What becomes of each grey when those of the surfaces become `greys`, under another light and gamma."""
    k = 0
    for grey in range(256):
        while grey > surfaces[k + 1]:
            k += 1
        share = (grey - surfaces[k]) / (surfaces[k + 1] - surfaces[k])
        colour = min(max(greys[k] + share * (greys[k + 1] - greys[k]), 0.0), 255.0)
        lit = 255.0 * (colour / 255.0) ** gamma * light
        lookup[grey] = uint8(min(math.floor(lit + 0.5), 255.0))


@kernel(void(CARS, int64[::1], uint64, uint64[::1]))
def noise_keys(cars, numbers, seed, keys):
    """frame_key of cars with these numbers."""
    for i in range(len(cars)):
        keys[i] = frame_key(seed, numbers[i], cars[i])


@kernel(void(uint8[:, :, :, ::1], CARS, uint8[:, ::1], uint64[::1]))
def spoil_frames(frames, cars, lookups, keys):
    """Make clean frames (cars, views, height, width) what the cars see."""
    for i in range(len(frames)):
        for view in range(frames.shape[1]):
            light(frames[i, view], lookups[i])
            degrade(frames[i, view], cars[i], view_key(keys[i], view))
