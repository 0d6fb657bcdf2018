"""What an external simulator tells, as a rollout sees it; and what it must not tell."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout import external_sim
from kuberacer.rollout.deepracer_sim import agent_config, connect
from kuberacer.sim.episode import EpisodeStatus
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.track import load_track

DISCRETE, CONTINUOUS = ModelMetadata.default("clipped_ppo"), ModelMetadata.default("sac")


def test_every_discrete_action_comes_back_as_its_number() -> None:
    count = len(DISCRETE.action_space)
    steering, speed = DISCRETE.decode(np.arange(count))
    numbers = [external_sim.native_action(DISCRETE, *pair) for pair in zip(steering, speed, strict=True)]
    assert numbers == list(range(count))


@given(st.tuples(st.floats(-1, 1), st.floats(-1, 1)))
def test_a_continuous_action_comes_back_as_it_was(action: tuple[float, float]) -> None:
    steering, speed = CONTINUOUS.decode(np.array([action], np.float32))
    native = external_sim.native_action(CONTINUOUS, float(steering[0]), float(speed[0]))
    assert native == pytest.approx(np.float32(action), abs=1e-5)


def test_pictures_of_three_shapes_become_grey() -> None:
    colour = np.zeros((120, 160, 3), np.uint8)
    colour[..., 1] = 200
    wanted = np.full((120, 160), round(0.587 * 200), np.uint8)
    assert np.array_equal(external_sim.grey(colour), wanted)
    assert np.array_equal(external_sim.grey(colour.transpose(2, 0, 1)), wanted)
    assert np.array_equal(external_sim.grey(wanted), wanted)
    with pytest.raises(UserError, match="480, 640"):
        external_sim.grey(np.zeros((480, 640)))


def test_reward_parameters_are_taken_and_wrong_ones_named() -> None:
    values = ParamArrays.allocate(load_track("kidney"), 1)
    external_sim.fill(
        values, {"x": 1.5, "closest_waypoints": [3, 4], "steps": 30, "is_offtrack": True, "new": object()}
    )
    assert (values.x[0], values.closest_waypoints[0].tolist(), values.is_offtrack[0]) == (1.5, [3, 4], True)
    assert values.sim_time[0] == 2.0
    with pytest.raises(UserError, match="progress is 'far'"):
        external_sim.fill(values, {"progress": "far"})
    with pytest.raises(UserError, match="no reward_params"):
        external_sim.fill(values, None)


def test_an_end_is_named_and_one_without_a_reason_is_a_cut() -> None:
    said = dict.fromkeys((status.name for status in EpisodeStatus), False)
    assert external_sim.status_of({"episode_status": {**said, "crashed": True}}) is EpisodeStatus.crashed
    assert external_sim.status_of({"episode_status": said}) is EpisodeStatus.time_up
    assert external_sim.status_of({}) is EpisodeStatus.time_up


def test_the_client_is_configured_from_the_metadata() -> None:
    config = agent_config(CONTINUOUS)
    assert config["action_space_type"] == "continuous"
    assert set(config["action_space"]) == {"steering_angle", "speed"}
    assert agent_config(DISCRETE)["sensor"] == list(DISCRETE.sensors) != []


def test_an_address_without_a_port_is_named() -> None:
    with pytest.raises(UserError, match="'here'"):
        connect("here", load_track("kidney"), DISCRETE)
