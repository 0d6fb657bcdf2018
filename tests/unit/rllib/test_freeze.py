"""Frozen policies: what ONNX Runtime says is what torch says, for each kind of actions and observations."""

import json

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from ray.rllib.algorithms.ppo import PPOConfig
from ray.rllib.core.rl_module.default_model_config import DefaultModelConfig

from kuberacer.coach.environment_model import EnvironmentModel
from kuberacer.errors import UserError
from kuberacer.rllib.algorithm import MODULE
from kuberacer.rllib.freeze import GRAPH, OnnxPolicy, _spaces, policy_file, trained_policy, write_onnx
from kuberacer.stages.freeze_environment import drawn

VECTOR, FRAMES = Box(-np.inf, np.inf, (20,), np.float32), Box(0, 255, (32, 24, 3), np.uint8)
CONVOLUTIONS = {"conv_filters": [[8, 4, 2], [8, 4, 2]]}


def weights(model: EnvironmentModel, network: dict) -> dict:
    """Of a network as the training has it, with its value function, drawn anew."""
    network = {**network, "free_log_std": True} if model.continuous else network
    config = PPOConfig().rl_module(model_config=DefaultModelConfig(**network)) if network else PPOConfig()
    module = config.get_rl_module_spec(spaces={MODULE: _spaces(model)}).build()
    return {name: value.numpy() for name, value in module.state_dict().items()}


@pytest.mark.parametrize(
    ("seen", "done", "network", "output"),
    [
        (VECTOR, Discrete(3), {}, "logits"),
        (VECTOR, Box(-2, np.array([2, 4], np.float32), (2,), np.float32), {}, "mean"),
        (FRAMES, Discrete(5), CONVOLUTIONS, "logits"),
    ],
)
def test_a_frozen_policy_says_what_the_trained_one_says(tmp_path, seen, done, network, output):
    model = EnvironmentModel.of("test", "ppo", seen, done)
    policy = trained_policy(model, network, weights(model, network))
    write_onnx(policy, model, tmp_path / GRAPH)
    frozen = OnnxPolicy(tmp_path / GRAPH, model)
    for count in (1, 7):
        observations = drawn(model, count)
        np.testing.assert_allclose(frozen.outputs(observations), policy.trained(observations), rtol=1e-4, atol=1e-5)
        actions = frozen.actions(observations)
        assert len(actions) == count
        assert all(done.contains(np.asarray(action, done.dtype)) for action in actions)
    told = json.loads(policy_file(model, ()).to_json())
    assert (told["framework"], told["output"], told["graph"]["file"]) == ("rllib", output, GRAPH)
    assert told["scaled"] is model.continuous


def test_weights_of_another_network_are_refused():
    model = EnvironmentModel.of("test", "ppo", VECTOR, Discrete(3))
    other = EnvironmentModel.of("test", "ppo", VECTOR, Discrete(4))
    with pytest.raises(UserError, match="the weights do not fit the network"):
        trained_policy(model, {}, weights(other, {}))
    with pytest.raises(UserError, match="the weights do not fit the network"):
        trained_policy(model, {"fcnet_hiddens": [8, 8, 8]}, weights(model, {}))


def test_a_file_that_is_no_graph_is_refused(tmp_path):
    (tmp_path / GRAPH).write_bytes(b"\x80\x04not a graph")
    with pytest.raises(UserError, match="cannot be read"):
        OnnxPolicy(tmp_path / GRAPH, EnvironmentModel.of("test", "ppo", VECTOR, Discrete(3)))
