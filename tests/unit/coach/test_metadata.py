import contextlib
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.coach.metadata import ContinuousActions, ModelMetadata
from kuberacer.errors import UserError


def file(**changes):
    """A good metadata file as a dict; a key given as ... is removed."""
    good = {
        "action_space": [{"steering_angle": angle, "speed": 1.0, "index": i} for i, angle in enumerate((-30, 0, 30))],
        "action_space_type": "discrete",
        "training_algorithm": "clipped_ppo",
        "neural_network": "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW",
        "version": "5",
        "sensor": ["FRONT_FACING_CAMERA"],
    }
    return {key: value for key, value in {**good, **changes}.items() if value is not ...}


CONTINUOUS = {"speed": {"low": 0.5, "high": 2}, "steering_angle": {"low": -30, "high": "30"}}
ACTION = {"steering_angle": 0, "speed": 1}


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"sensor": ["REAR_CAMERA"]}, ["sensor", "REAR_CAMERA"]),
        ({"sensor": []}, ["sensor"]),
        ({"sensor": ["LIDAR"]}, ["sensor", "0 cameras"]),
        ({"sensor": ["LEFT_CAMERA", "STEREO_CAMERAS"]}, ["sensor", "2 cameras"]),
        ({"sensor": ["LEFT_CAMERA", "LIDAR", "SECTOR_LIDAR"]}, ["sensor", "2 lidars"]),
        ({"neural_network": "RESNET"}, ["neural_network", "RESNET", "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW"]),
        ({"action_space": [ACTION]}, ["action_space", "1 action", "2 to 30"]),
        ({"action_space": [ACTION] * 31}, ["action_space", "31 actions", "2 to 30"]),
        ({"action_space": [ACTION, {"steering_angle": 30.5, "speed": 1}]}, ["[1].steering_angle", "30.5", "-30 to 30"]),
        ({"action_space": [ACTION, {"steering_angle": 0, "speed": 0.05}]}, ["[1].speed", "0.05", "0.1 to 4"]),
        ({"action_space": [ACTION, {"steering_angle": 0, "speed": 4.01}]}, ["[1].speed", "4.01", "0.1 to 4"]),
        ({"action_space": [ACTION, {"steering_angle": "NaN", "speed": 1}]}, ["[1].steering_angle", "NaN"]),
        ({"action_space": [ACTION, {"steering_angle": True, "speed": 1}]}, ["[1].steering_angle", "True"]),
        ({"action_space": [ACTION, {"steering_angle": 0}]}, ["[1]", "speed"]),
        ({"action_space": [ACTION, {**ACTION, "colour": 1}]}, ["[1]", "colour"]),
        ({"action_space": [ACTION, {**ACTION, "index": 0}]}, ["[1].index", "0"]),
        ({"action_space": [ACTION, 7]}, ["[1]", "7"]),
        ({"action_space": "left"}, ["action_space", "left"]),
        ({"action_space": ...}, ["action_space", "missing"]),
        ({"action_space_type": "continuous"}, ["action_space_type", "continuous", "discrete"]),
        ({"action_space": CONTINUOUS}, ["action_space_type", "discrete", "continuous"]),
        ({"training_algorithm": "a3c"}, ["training_algorithm", "a3c", "dqn"]),
        ({"training_algorithm": "sac"}, ["sac", "discrete", "continuous"]),
        ({"version": "17"}, ["version", "17"]),
        ({"lidar_config": {"num_sectors": 0}}, ["lidar_config.num_sectors", "0"]),
        ({"lidar_config": {"num_sectors": 6}}, ["lidar_config.num_sectors", "6", "divides 64"]),
        ({"lidar_config": {"num_sectors": 128}}, ["lidar_config.num_sectors", "128"]),
        ({"lidar_config": {"num_values_per_sector": 2.5}}, ["lidar_config.num_values_per_sector", "2.5"]),
        ({"lidar_config": {"clipping_dist": 0.1}}, ["lidar_config.clipping_dist", "0.1", "0.15 to 12"]),
        ({"lidar_config": {"clipping_dist": 13}}, ["lidar_config.clipping_dist", "13"]),
        ({"lidar_config": {"sectors": 8}}, ["lidar_config", "sectors"]),
        ({"lidar_config": 8}, ["lidar_config", "8"]),
        ({"colour": "red"}, ["colour"]),
        ({"sensor": "FRONT_FACING_CAMERA"}, ["sensor"]),
    ],
)
def test_a_fault_is_named(changes, named):
    with pytest.raises(UserError) as caught:
        ModelMetadata.parse(json.dumps(file(**changes)))
    assert all(word in str(caught.value) for word in named), str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("space", "named"),
    [
        ({**CONTINUOUS, "speed": {"low": 2, "high": 1}}, ["action_space.speed", "low"]),
        ({**CONTINUOUS, "steering_angle": {"low": -31, "high": 30}}, ["action_space.steering_angle.low", "-31"]),
        ({**CONTINUOUS, "speed": {"low": 1}}, ["action_space.speed", "high"]),
        ({**CONTINUOUS, "speed": 1}, ["action_space.speed", "1"]),
        ({"speed": {"low": 1, "high": 2}}, ["action_space", "steering_angle"]),
    ],
)
def test_a_fault_of_bounds_is_named(space, named):
    with pytest.raises(UserError) as caught:
        ModelMetadata.parse(json.dumps(file(action_space=space, action_space_type="continuous")))
    assert all(word in str(caught.value) for word in named), str(caught.value)


def test_dqn_takes_discrete_actions_only():
    text = json.dumps(file(action_space=CONTINUOUS, action_space_type="continuous", training_algorithm="dqn"))
    with pytest.raises(UserError, match="dqn with a continuous action_space: it takes discrete actions only"):
        ModelMetadata.parse(text)


def test_the_runs_algorithm_and_the_files_must_agree():
    with pytest.raises(UserError, match="training_algorithm is 'clipped_ppo', the run's algorithm is 'dqn'"):
        ModelMetadata.parse(json.dumps(file()), "dqn")
    assert ModelMetadata.parse(json.dumps(file(training_algorithm=...)), "dqn").algorithm == "dqn"


@pytest.mark.parametrize("text", ["{", "[1]", '{"version": 5, "version": 5}', "nonsense", "[" * 100000])
def test_text_that_is_no_object(text):
    with pytest.raises(UserError, match="model metadata"):
        ModelMetadata.parse(text)


@pytest.mark.parametrize("algorithm", ["clipped_ppo", "sac", "dqn"])
def test_defaults_are_good_files(algorithm):
    default = ModelMetadata.parse(None, algorithm)
    assert default.algorithm == algorithm
    assert ModelMetadata.parse(default.to_json(), algorithm) == default


def test_no_sensor_key_means_an_input_named_observation():
    metadata = ModelMetadata.parse(json.dumps(file(sensor=...)))
    assert metadata.camera == "observation"
    assert "sensor" not in json.loads(metadata.to_json())
    assert ModelMetadata.parse(json.dumps(file())).camera == "FRONT_FACING_CAMERA"


def test_decode_discrete():
    steering, speed = ModelMetadata.parse(json.dumps(file())).decode(np.array([2, 0, 1]))
    np.testing.assert_array_equal(steering, np.array([30, -30, 0], np.float32))
    assert steering.dtype == speed.dtype == np.float32


def test_decode_continuous_scales_and_clips():
    metadata = ModelMetadata.parse(
        json.dumps(file(action_space=CONTINUOUS, action_space_type="continuous", training_algorithm="sac"))
    )
    steering, speed = metadata.decode(np.array([[-1, -1], [0, 0], [5, 1]]))
    np.testing.assert_allclose(steering, [-30, 0, 30])
    np.testing.assert_allclose(speed, [0.5, 1.25, 2])


@given(
    st.lists(
        st.tuples(st.floats(-30, 30, width=32), st.floats(0.125, 4, width=32), st.booleans()), min_size=2, max_size=30
    )
)
def test_any_legal_list_of_actions_survives(actions):
    space = [
        {"steering_angle": str(angle) if text else angle, "speed": str(speed) if text else speed}
        for angle, speed, text in actions
    ]
    metadata = ModelMetadata.parse(json.dumps(file(action_space=space)))
    assert [(a.steering_angle, a.speed) for a in metadata.action_space] == [action[:2] for action in actions]
    assert ModelMetadata.parse(metadata.to_json()) == metadata


def test_continuous_survives():
    metadata = ModelMetadata.parse(json.dumps(file(action_space=CONTINUOUS, action_space_type="continuous")))
    assert metadata.action_space == ContinuousActions(steering_angle=(-30, 30), speed=(0.5, 2))
    assert ModelMetadata.parse(metadata.to_json()) == metadata


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
)


@given(ANY_JSON)
def test_any_value_of_any_key_is_read_or_refused(value):
    for key in file():
        with contextlib.suppress(UserError):
            ModelMetadata.parse(json.dumps({**file(), key: value}))
