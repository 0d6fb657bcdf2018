import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.rollout.frame_stack import FrameStack


def frames(value: int, cars: int = 2) -> np.ndarray:
    return np.full((cars, 3, 4), value, np.uint8)


def test_one_frame_deep_is_the_simulators_own_buffer():
    buffer = frames(1)
    stack = FrameStack(buffer, 1)
    buffer[:] = 7
    assert np.shares_memory(stack.observations, buffer)
    assert stack.observations.shape == (2, 3, 4, 1)


@given(st.lists(st.integers(0, 255), min_size=1, max_size=8), st.integers(2, 4))
def test_the_newest_frame_is_last_and_an_episode_starts_with_its_first_repeated(values: list[int], depth: int):
    stack = FrameStack(frames(9), depth)
    seen = [9] * depth
    for value in values:
        seen = [*seen[1:], value]
        assert stack.peek(frames(value))[0, 0, 0].tolist() == seen
        stack.push(frames(value), np.array([False, True]))
        assert stack.observations[0, 0, 0].tolist() == seen
        assert stack.observations[1, 0, 0].tolist() == [value] * depth
