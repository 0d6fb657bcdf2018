"""policy.json: what it means, and what is none."""

import json
from pathlib import Path

import numpy as np
import policies
import pytest

from kuberacer.endpoint import Endpoint
from kuberacer.errors import UserError
from kuberacer.formats.policy import PolicyFile, digest
from kuberacer.serve.network import Network
from kuberacer.serve.observations import Requests
from kuberacer.serve.policy import Policy
from kuberacer.serve.start import warm_app

CONTINUOUS = {"kind": "continuous", "shape": [2], "low": [-1.0, 0.0], "high": [1.0, 4.0], "meaning": ["steer", "speed"]}


def parsed(**keys) -> Policy:
    return Policy.parse(json.dumps(policies.policy(**keys)))


def test_what_the_stages_write_is_read():
    written = PolicyFile(
        run="r", environment="e", framework="rl_coach", algorithm="dqn", graph={}, output="q_values",
        observation=policies.MOUNTAIN_CAR, action={"kind": "discrete", "n": 3, "meaning": None},
    )  # fmt: skip
    found = Policy.parse(written.to_json())
    assert (found.run, found.sensors[0].shape, found.action.outputs) == ("r", (2,), 3)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"version": 2}, "version"),
        ({"output": "feelings"}, "output"),
        ({"observation": {"shape": [], "dtype": "float32"}}, "shape"),
        ({"observation": {"shape": [9000, 9000, 9000], "dtype": "uint8"}}, "an observation of"),
        ({"observation": {"shape": [2], "dtype": "float32", "low": [0.0]}}, "1 bounds or meanings of 2 values"),
        ({"observation": {**policies.CAMERA, "frames": 2}}, "2 frames"),
        ({"action": {"kind": "discrete", "n": 2, "meaning": ["left"]}}, "1 meanings or values of 2 actions"),
        ({"action": {**CONTINUOUS, "high": [1.0]}}, "1 bounds or meanings of 2 axes"),
        ({"action": {"kind": "many"}}, "action"),
        ({"normalisation": {"mean": [0.0], "std": [1.0]}}, "normalisation is not for this observation"),
        ({"normalisation": {"mean": [0.0, 0.0], "std": [1.0, 0.0]}}, "std"),
        ({"normalisation": {"mean": [0.0, float("nan")], "std": [1.0, 1.0]}}, "finite"),
        ({"preprocess": ["to_float"]}, "instead of normalisation"),
        ({"scaled": True}, "discrete actions that are scaled"),
    ],
)
def test_what_does_not_fit_is_told(keys, said):
    with pytest.raises(UserError, match=r"policy\.json: ") as told:
        parsed(**keys)
    assert said in told.value.cause


def test_the_best_of_n_actions_with_its_meaning():
    (found,) = parsed().predictions(np.array([[0.1, 0.3, 0.2]], np.float32))
    assert found == {"action": 1, "meaning": "nothing", "q_values": [0.1, 0.3, 0.2]}


def test_scaled_axes_reach_their_bounds_and_no_further():
    policy = parsed(action=CONTINUOUS, output="mean", scaled=True)
    found = policy.predictions(np.array([[-1.5, 0], [1, 1], [0, -0.5]]))
    assert [each["action"] for each in found] == [[-1.0, 2.0], [1.0, 4.0], [0.0, 1.0]]
    assert found[2]["values"] == {"steer": 0.0, "speed": 1.0}
    assert found[0]["mean"] == [-1.5, 0.0]


def test_axes_that_are_not_scaled_are_kept_within_their_bounds():
    (found,) = parsed(action=CONTINUOUS, output="action").predictions(np.array([[3.0, 2.5]]))
    assert found == {"action": [1.0, 2.5], "values": {"steer": 1.0, "speed": 2.5}}


def test_logits_of_axes_are_means_and_then_deviations():
    (found,) = parsed(action=CONTINUOUS, output="logits").predictions(np.array([[0.5, 1.0, -3.0, -3.0]]))
    assert found["action"] == [0.5, 1.0]


def test_an_action_of_more_axes_keeps_its_shape():
    space = {"kind": "continuous", "shape": [2, 2], "low": [-1.0] * 4, "high": [1.0] * 4, "meaning": None}
    (found,) = parsed(action=space, output="action").predictions(np.array([[0.1, 0.2, 0.3, 0.4]]))
    assert found == {"action": [[0.1, 0.2], [0.3, 0.4]]}


def warm(folder: Path) -> int:
    network = Network.read(folder)
    return network.warm_up(Requests(network.policy))


def test_a_model_that_agrees_with_its_examples_is_warm(tmp_path):
    assert warm(policies.mountain_car(tmp_path / "discrete")) == 2
    assert warm(policies.continuous(tmp_path / "continuous")) == 0
    assert warm(policies.race(tmp_path / "race")) == 1
    assert warm(policies.race(tmp_path / "lidar", lidar=True)) == 0
    assert warm(policies.bright_rows(tmp_path / "filtered")) == 2


def test_filters_that_are_not_known_or_do_not_fit_are_told(tmp_path):
    folder = policies.bright_rows(tmp_path)
    kept = (folder / "policy.json").read_text()
    (folder / "policy.json").write_text(kept.replace("binarise(100)", "guess(100)"))
    with pytest.raises(UserError, match="guess"):
        warm(folder)
    (folder / "policy.json").write_text(kept.replace('"add_channel"', '"add_channel", "rgb_to_y"'))
    with pytest.raises(UserError, match="rgb_to_y does not take"):
        warm(folder)


@pytest.mark.parametrize(
    ("examples", "said"),
    [
        ([{"observation": [0.5, -0.5], "action": 2}], "the network says 0, the action is 2"),
        ([{"observation": [0.5], "action": 0}], "does not fit"),
        ([{"action": 0}], "does not fit"),
    ],
)
def test_a_model_that_does_not_agree_is_not_served(tmp_path, examples, said):
    folder = policies.mountain_car(tmp_path, examples=examples)
    with pytest.raises(UserError) as told:
        warm_app(folder, Endpoint("served"))
    assert said in told.value.cause


def test_a_network_for_another_policy_is_told(tmp_path):
    two = policies.linear({"observation": (2,)}, np.zeros((2, 2)))
    with pytest.raises(UserError, match="gives 2 numbers"):
        warm(policies.write(tmp_path / "actions", policies.policy(), two))
    both = policies.linear({"a": (2,), "b": (2,)}, np.zeros((4, 3)))
    with pytest.raises(UserError, match="has the inputs"):
        warm(policies.write(tmp_path / "inputs", policies.policy(), both))
    wide = policies.linear({"observation": (3,)}, np.zeros((3, 3)))
    with pytest.raises(UserError, match="does not answer"):
        warm(policies.write(tmp_path / "wide", policies.policy(), wide))
    folder = policies.mountain_car(tmp_path / "damaged")
    (folder / "model.onnx").write_bytes(b"nonsense")
    with pytest.raises(UserError, match="cannot be loaded"):
        warm(folder)
    (folder / "model.onnx").unlink()
    with pytest.raises(UserError, match="cannot be read"):
        warm(folder)


def test_another_model_than_was_deployed_is_not_served(tmp_path):
    folder = policies.mountain_car(tmp_path)
    before = digest(folder)
    warm_app(folder, Endpoint("served", before))
    policies.mountain_car(tmp_path, run="another")
    with pytest.raises(UserError, match="was deployed"):
        warm_app(folder, Endpoint("served", before))
