"""Blur and noise of a frame, against plain arithmetic."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from kuberacer.sim import step_kernels as kernels
from kuberacer.sim.noise_kernels import HEIGHT, LOW, PATTERN, PIECES, WIDTH, degrade, light


@njit
def _degrade(frame, cars, key):
    degrade(frame, cars[0], key)


@njit
def _light(frame, lookup):
    light(frame, lookup)


def degraded(frame: np.ndarray, blur: float, noise: float, key: int) -> np.ndarray:
    car, after = np.zeros(1, kernels.CAR), frame.copy()
    car["blur"], car["noise"] = blur, noise
    _degrade(after, car, np.uint64(key))
    return after


def plainly_blurred(frame: np.ndarray, share: int) -> np.ndarray:
    """(share, 256 - 2 share, share) / 256 along the rows, rounded down, then along the columns."""
    for axis in (1, 0):
        wide = np.pad(frame.astype(int), [(1, 1) if k == axis else (0, 0) for k in (0, 1)], mode="edge")
        before, after = (np.take(wide, range(k, k + frame.shape[axis]), axis) for k in (0, 2))
        frame = (share * (before + after) + (256 - 2 * share) * frame.astype(int)) >> 8
    return frame


def some_frame(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH)).astype(np.uint8)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 99), blur=st.floats(0, 0.33), noise=st.floats(0, 16), key=st.integers(0, 2**64 - 1))
def test_a_frame_is_blurred_and_then_noisy(seed, blur, noise, key):
    frame = some_frame(seed)
    first, second = key & int(LOW), (key >> 16) & int(LOW)
    drawn = PATTERN[first : first + frame.size].astype(int) + PATTERN[second : second + frame.size] - 255
    grain = (drawn * 2 * int(noise * 256)) >> 16
    wanted = np.clip(plainly_blurred(frame, int(blur * 256)) + grain.reshape(frame.shape), 0, 255)
    np.testing.assert_array_equal(degraded(frame, blur, noise, key), wanted)


def test_nothing_to_do_changes_nothing():
    frame = some_frame(3)
    np.testing.assert_array_equal(degraded(frame, 0.0, 0.0, 12345), frame)


def test_light_is_a_table():
    frame, lookup = some_frame(4), np.random.default_rng(0).permutation(256).astype(np.uint8)
    lit = frame.copy()
    _light(lit, lookup)
    np.testing.assert_array_equal(lit, lookup[frame])


def test_noise_is_triangular_and_new_in_each_frame():
    grey = np.full((HEIGHT, WIDTH), 128, np.uint8)
    keys = np.random.default_rng(1).integers(0, 2**63, 8).tolist()
    frames = np.array([degraded(grey, 0.0, 16.0, key) for key in keys]).astype(int) - 128
    # The sum of two uniform numbers: a third of the most is not exceeded in 5/9 of the draws.
    most = 255 * 16 / 128
    assert abs(frames.mean()) < 1.0
    assert frames.std() == pytest.approx(most / np.sqrt(6), rel=0.03)
    assert (np.abs(frames) < most / 3).mean() == pytest.approx(5 / 9, abs=0.03)
    one, *others = (frame.ravel() for frame in frames)
    assert all(abs(np.corrcoef(one, other)[0, 1]) < 0.05 for other in others)
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 0.05


def test_the_pattern_has_every_byte_alike():
    assert len(PATTERN) == PIECES + WIDTH * HEIGHT
    assert np.bincount(PATTERN, minlength=256).std() < 0.1 * len(PATTERN) / 256
