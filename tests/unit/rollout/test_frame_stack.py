from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.rollout.frame_stack import FrameStack, Observations


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


def with_sensors(*sensors: str) -> ModelMetadata:
    return replace(ModelMetadata.default("clipped_ppo"), sensors=sensors)


def test_with_one_camera_what_is_seen_is_the_simulators_own_buffer():
    sim = SimpleNamespace(frames=frames(1), lidar=None)
    observations = Observations(sim, with_sensors("LEFT_CAMERA"), 1)
    assert np.shares_memory(observations.current, sim.frames)
    assert np.shares_memory(observations.peek(), sim.frames)


def test_a_lidar_is_seen_beside_the_camera_and_kept_until_the_next_push():
    sim = SimpleNamespace(frames=frames(1, views=2), lidar=np.full((2, 64), 0.7, np.float32))
    observations = Observations(sim, with_sensors("STEREO_CAMERAS", "SECTOR_LIDAR"), 2)
    camera, lidar = observations.current
    assert (camera.shape, lidar.tolist()) == ((2, 3, 4, 4), [[0.0] * 8] * 2)
    sim.frames[:], sim.lidar[1, :8] = 9, 0.3
    assert [array[1].max() for array in observations.peek()] == [9, 1.0]
    assert [array[1].max() for array in observations.current] == [2, 0.0]
    observations.push(np.array([False, False]))
    assert observations.current[0][0, 0, 0].tolist() == [1, 2, 9, 9]
    assert observations.current[1].tolist() == [[0.0] * 8, [1.0] + [0.0] * 7]


def test_a_simulator_without_the_models_lidar_is_a_mistake():
    with pytest.raises(ValueError, match="without a lidar"):
        Observations(SimpleNamespace(frames=frames(1), lidar=None), with_sensors("LEFT_CAMERA", "LIDAR"), 1)
