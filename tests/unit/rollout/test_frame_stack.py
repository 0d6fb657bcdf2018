import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.rollout.frame_stack import FrameStack


def frames(value: int, cars: int = 2, views: int = 1) -> np.ndarray:
    """View v is `value` + v, modulo 256."""
    return np.full((cars, views, 3, 4), value, np.uint8) + np.arange(views, dtype=np.uint8)[:, None, None]


def test_one_step_deep_is_the_simulators_own_buffer():
    for views in (1, 2):
        buffer = frames(1, views=views)
        stack = FrameStack(buffer, 1)
        buffer[:, -1] = 7
        assert np.shares_memory(stack.observations, buffer)
        assert stack.observations.shape == (2, 3, 4, views)
        assert (stack.observations[..., -1] == 7).all()


@given(st.lists(st.integers(0, 255), min_size=1, max_size=8), st.integers(2, 4), st.integers(1, 2))
def test_the_newest_step_is_last_and_an_episode_starts_with_its_first_repeated(values: list[int], depth, views):
    stack = FrameStack(frames(9, views=views), depth)
    seen = list(frames(9, 1, views)[0, :, 0, 0]) * depth
    assert stack.observations[0, 0, 0].tolist() == seen
    for value in values:
        new = frames(value, views=views)
        both = new[0, :, 0, 0].tolist()
        seen = [*seen[views:], *both]
        assert stack.peek(new)[0, 0, 0].tolist() == seen
        stack.push(new, np.array([False, True]))
        assert stack.observations[0, 0, 0].tolist() == seen
        assert stack.observations[1, 0, 0].tolist() == both * depth
