import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.coach.replay import ReplayMemory
from kuberacer.coach.sensors import Input

SEEN = (Input("camera", (1, 2, 1)),)


def fill(memory, steps, cars, truncated_every=0):
    """Car c at time t sees a frame of the number t·cars + c, rewarded with it; a cut episode ends with 2^15 more."""
    for t in range(steps):
        number = np.arange(t * cars, (t + 1) * cars)
        memory.begin(as_frames(number), number.astype(np.int32))
        cut = (number % truncated_every == 0) if truncated_every else np.zeros(cars, bool)
        memory.end(number.astype(float), np.zeros(cars, bool), cut, as_frames(number + 2**15))


def as_frames(numbers):
    frames = np.zeros((len(numbers), 1, 2, 1), np.uint8)
    frames[:, 0, 0, 0], frames[:, 0, 1, 0] = numbers % 256, numbers // 256
    return frames


def as_numbers(frames):
    return frames[:, 0, 0, 0].astype(int) + 256 * frames[:, 0, 1, 0].astype(int)


@settings(max_examples=60, deadline=None)
@given(
    cars=st.integers(1, 5),
    rows=st.integers(2, 12),
    steps=st.integers(2, 40),
    truncated_every=st.sampled_from([0, 3, 7]),
)
def test_a_sample_is_a_transition_that_was_played(cars, rows, steps, truncated_every):
    memory = ReplayMemory(cars, rows * cars, SEEN, (), np.int32)
    fill(memory, steps, cars, truncated_every)
    frames, following, actions, rewards, terminated = memory.sample(np.random.default_rng(0), 200)
    numbers = as_numbers(frames)
    oldest = max(0, steps - rows) * cars
    assert set(numbers) <= set(range(oldest, (steps - 1) * cars))
    np.testing.assert_array_equal(actions, numbers)
    np.testing.assert_array_equal(rewards, numbers)
    assert not terminated.any()
    cut = numbers % truncated_every == 0 if truncated_every else np.zeros(200, bool)
    np.testing.assert_array_equal(as_numbers(following), np.where(cut, numbers + 2**15, numbers + cars))


def test_every_transition_is_drawn_alike():
    memory = ReplayMemory(3, 30, SEEN, (), np.int32)
    fill(memory, 25, 3)
    assert memory.steps == memory.capacity == 27
    drawn = memory.sample(np.random.default_rng(0), 27 * 400)[2]
    numbers, counts = np.unique(drawn, return_counts=True)
    assert len(numbers) == 27
    assert counts.min() > 320
    assert counts.max() < 480


def test_a_cut_step_needs_its_last_frame():
    memory = ReplayMemory(2, 8, SEEN, (), np.int32)
    memory.begin(np.zeros((2, 1, 2, 1), np.uint8), np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="final observation"):
        memory.end(np.zeros(2), np.zeros(2, bool), np.ones(2, bool), None)


def test_last_frames_of_overwritten_steps_are_dropped():
    memory = ReplayMemory(2, 8, SEEN, (), np.int32)
    fill(memory, 50, 2, truncated_every=2)
    assert len(memory._finals) <= 4


def test_what_the_lidar_showed_stays_with_the_frame():
    memory = ReplayMemory(2, 8, (*SEEN, Input("lidar", (3,))), (), np.int32)
    for t in range(11):
        number = np.arange(2 * t, 2 * t + 2)
        cut = number % 3 == 0
        memory.begin(both(number), number.astype(np.int32))
        memory.end(number.astype(float), np.zeros(2, bool), cut, both(number + 2**15))
    (frames, lidar), (later_frames, later_lidar), actions, _, _ = memory.sample(np.random.default_rng(0), 100)
    np.testing.assert_array_equal(as_numbers(frames), actions)
    np.testing.assert_array_equal(lidar, np.repeat(actions[:, None], 3, axis=1))
    np.testing.assert_array_equal(later_lidar[:, 0], as_numbers(later_frames))
    np.testing.assert_array_equal(later_lidar[:, 0], np.where(actions % 3 == 0, actions + 2**15, actions + 2))


def both(numbers):
    return as_frames(numbers), np.repeat(numbers[:, None], 3, axis=1).astype(np.float32)
