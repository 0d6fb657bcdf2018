import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.coach.priorities import Priorities
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
    memory = ReplayMemory(cars, rows * cars, SEEN, (), np.int32, 0.9)
    fill(memory, steps, cars, truncated_every)
    batch = memory.sample(np.random.default_rng(0), 200)
    numbers = as_numbers(batch.seen)
    oldest = max(0, steps - rows) * cars
    assert set(numbers) <= set(range(oldest, (steps - 1) * cars))
    np.testing.assert_array_equal(batch.actions, numbers)
    np.testing.assert_array_equal(batch.rewards, numbers)
    assert (batch.bootstrap == 0.9).all()
    assert (batch.weights == 1).all()
    cut = numbers % truncated_every == 0 if truncated_every else np.zeros(200, bool)
    np.testing.assert_array_equal(as_numbers(batch.following), np.where(cut, numbers + 2**15, numbers + cars))


def test_every_transition_is_drawn_alike():
    memory = ReplayMemory(3, 30, SEEN, (), np.int32, 0.9)
    fill(memory, 25, 3)
    assert memory.steps == memory.capacity == 27
    drawn = memory.sample(np.random.default_rng(0), 27 * 400).actions
    numbers, counts = np.unique(drawn, return_counts=True)
    assert len(numbers) == 27
    assert counts.min() > 320
    assert counts.max() < 480


def test_a_cut_step_needs_its_last_frame():
    memory = ReplayMemory(2, 8, SEEN, (), np.int32, 0.9)
    memory.begin(np.zeros((2, 1, 2, 1), np.uint8), np.zeros(2, np.int32))
    with pytest.raises(ValueError, match="final observation"):
        memory.end(np.zeros(2), np.zeros(2, bool), np.ones(2, bool), None)


def test_last_frames_of_overwritten_steps_are_dropped():
    memory = ReplayMemory(2, 8, SEEN, (), np.int32, 0.9)
    fill(memory, 50, 2, truncated_every=2)
    assert len(memory._finals) <= 4


def test_what_the_lidar_showed_stays_with_the_frame():
    memory = ReplayMemory(2, 8, (*SEEN, Input("lidar", (3,))), (), np.int32, 0.9)
    for t in range(11):
        number = np.arange(2 * t, 2 * t + 2)
        cut = number % 3 == 0
        memory.begin(both(number), number.astype(np.int32))
        memory.end(number.astype(float), np.zeros(2, bool), cut, both(number + 2**15))
    batch = memory.sample(np.random.default_rng(0), 100)
    (frames, lidar), (later_frames, later_lidar), actions = batch.seen, batch.following, batch.actions
    np.testing.assert_array_equal(as_numbers(frames), actions)
    np.testing.assert_array_equal(lidar, np.repeat(actions[:, None], 3, axis=1))
    np.testing.assert_array_equal(later_lidar[:, 0], as_numbers(later_frames))
    np.testing.assert_array_equal(later_lidar[:, 0], np.where(actions % 3 == 0, actions + 2**15, actions + 2))


def both(numbers):
    return as_frames(numbers), np.repeat(numbers[:, None], 3, axis=1).astype(np.float32)


@settings(max_examples=80, deadline=None)
@given(cars=st.integers(1, 4), rows=st.integers(2, 20), steps=st.integers(2, 60), n=st.integers(1, 5), data=st.data())
def test_n_steps_are_what_walking_through_the_episode_gives(cars, rows, steps, n, data):
    """Against a plain walk over what was played: rewards until the n-th step or the episode's end."""
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    memory = ReplayMemory(cars, rows * cars, SEEN, (), np.int32, 0.9, n)
    terminated, truncated = rng.random((2, steps, cars)) < 0.15
    rewards = rng.normal(size=(steps, cars))
    for t in range(steps):
        number = np.arange(t * cars, (t + 1) * cars)
        memory.begin(as_frames(number), number.astype(np.int32))
        memory.end(rewards[t], terminated[t], truncated[t], as_frames(number + 2**15))
    if memory.steps == 0:
        return
    batch = memory.sample(rng, 50)
    for i, first in enumerate(as_numbers(batch.seen)):
        t, car = divmod(first, cars)
        total, discount = 0.0, 1.0
        for step in range(t, t + n):
            total, discount = total + discount * rewards[step, car], discount * 0.9
            if terminated[step, car] or truncated[step, car]:
                break
        np.testing.assert_allclose(batch.rewards[i], total)
        np.testing.assert_allclose(batch.bootstrap[i], 0 if terminated[step, car] else discount)
        if not terminated[step, car]:
            cut = truncated[step, car]
            wanted = step * cars + car + 2**15 if cut else (step + 1) * cars + car
            assert as_numbers(batch.following)[i] == wanted


class Rising:
    """A schedule of rl_coach's kind."""

    current_value = 0.5

    def step(self):
        self.current_value = min(1.0, self.current_value + 0.1)


def prioritized(errors):
    memory = ReplayMemory(1, len(errors) + 1, SEEN, (), np.int32, 0.9, 1, Priorities(0.6, Rising(), 1e-6))
    fill(memory, len(errors) + 1, 1)
    memory.priorities.update(np.arange(len(errors)), errors)
    return memory


def test_priorities_draw_in_proportion_and_weights_make_up_for_it():
    errors = np.array([0.1, 1.0, 5.0, 0.0, 2.0])
    memory = prioritized(errors)
    memory.priorities.skip_to(5)  # beta is 1: drawn and weighed, all count alike
    batch = memory.sample(np.random.default_rng(0), 200_000)
    counts = np.bincount(batch.actions, minlength=5)
    shares = (errors + 1e-6) ** 0.6
    np.testing.assert_allclose(counts / counts.sum(), shares / shares.sum(), atol=0.002)
    np.testing.assert_allclose(batch.weights, shares.min() / shares[batch.actions], rtol=1e-5)
    assert batch.weights.max() <= 1


def test_priorities_weigh_as_rl_coachs_memory_does():
    from rl_coach.core_types import Transition
    from rl_coach.memories.memory import MemoryGranularity
    from rl_coach.memories.non_episodic.prioritized_experience_replay import PrioritizedExperienceReplay
    from rl_coach.schedules import ConstantSchedule

    errors = np.array([0.1, 1.0, 5.0, 0.3, 2.0, 0.7, 0.2, 4.0])
    theirs = PrioritizedExperienceReplay((MemoryGranularity.Transitions, 8), 0.6, ConstantSchedule(0.5))
    for number in range(8):
        theirs.store(Transition(state={"camera": np.zeros(1)}, action=number, reward=0.0))
    theirs.update_priorities(range(8), errors)
    wanted = {transition.action: transition.info["weight"] for transition in theirs.sample(8) * 1}
    memory = prioritized(errors)
    batch = memory.sample(np.random.default_rng(0), 64)
    found = dict(zip(batch.actions.tolist(), batch.weights.tolist(), strict=True))
    for action, weight in wanted.items():
        assert found[action] == pytest.approx(weight, rel=1e-4)


def test_what_is_new_is_as_likely_as_the_likeliest():
    memory = prioritized(np.array([0.1, 7.0, 0.2]))
    memory.begin(as_frames(np.array([9])), np.array([9], np.int32))
    assert memory.priorities._of[0] == pytest.approx(7.0**0.6, rel=1e-4)  # in the place of the oldest
