from dataclasses import replace

import numpy as np
import pytest

from kuberacer.coach import frozen_checks, onnx_graph
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.freeze import CAR_OUTPUT, for_car, freeze_checkpoint, input_names
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout.driving_policy import DrivingPolicy
from tests.unit.coach.presets import CONTINUOUS, STEREO_AND_SECTORS, WITH_LIDAR, random_observation

NO_SENSOR = '{"action_space": [{"steering_angle": -20, "speed": 1}, {"steering_angle": 20, "speed": 1}]}'
# Batch normalisation and dropout leave conditions in the graph, which only training takes.
WITH_BATCH_NORMALISATION = (
    "from rl_coach.architectures.layers import BatchnormActivationDropout\n"
    "embedder.scheme = [Conv2d(4, 16, 16), BatchnormActivationDropout(batchnorm=True, activation_function='tanh'),"
    " Dense(8), BatchnormActivationDropout(activation_function='relu', dropout_rate=0.5)]\n"
    "embedder.activation_function = 'none'"
)
ONE_TOWER = "agent_params.network_wrappers['main'].use_separate_networks_per_head = False"
DUELING = (
    "from rl_coach.architectures.head_parameters import DuelingQHeadParameters\n"
    "agent_params.network_wrappers['main'].heads_parameters = [DuelingQHeadParameters()]"
)
LEFT_AND_LIDAR = NO_SENSOR.replace('{"action_space"', '{"sensor": ["LEFT_CAMERA", "LIDAR"], "action_space"', 1)
CASES = {
    "ppo": ("clipped_ppo", None, ""),
    "ppo continuous": ("clipped_ppo", CONTINUOUS, ""),
    "ppo with batch normalisation": ("clipped_ppo", None, WITH_BATCH_NORMALISATION),
    "ppo in one tower": ("clipped_ppo", None, ONE_TOWER),
    "ppo without a sensor key": ("clipped_ppo", NO_SENSOR, ""),
    "sac": ("sac", None, ""),
    **{name: (name, None, "") for name in ("dqn", "categorical_dqn", "qr_dqn", "rainbow", "td3")},
    "duelling ddqn": ("ddqn", None, DUELING),
    "ddpg with batch normalisation": (
        "ddpg",
        None,
        "agent_params.network_wrappers['actor'].heads_parameters[0].batchnorm = True",
    ),
    "ppo with stereo and sectors": ("clipped_ppo", STEREO_AND_SECTORS, WITH_LIDAR.format(lidar="SECTOR_LIDAR")),
    "sac with stereo and sectors": (
        "sac",
        STEREO_AND_SECTORS.replace("clipped_ppo", "sac"),
        WITH_LIDAR.format(lidar="SECTOR_LIDAR"),
    ),
    "rainbow with a lidar": ("rainbow", LEFT_AND_LIDAR, WITH_LIDAR.format(lidar="LIDAR")),
    "td3 with stereo and sectors": (
        "td3",
        STEREO_AND_SECTORS.replace("clipped_ppo", "td3"),
        WITH_LIDAR.format(lidar="SECTOR_LIDAR"),
    ),
    "dqn with a lidar": ("dqn", LEFT_AND_LIDAR, WITH_LIDAR.format(lidar="LIDAR")),
}


@pytest.mark.parametrize("case", CASES)
def test_every_runtime_agrees_with_the_live_policy(make_agent, tmp_path, case):
    algorithm, metadata, more = CASES[case]
    agent = make_agent(algorithm, metadata=metadata, more=more)
    frames = random_observation(agent, np.random.default_rng(0), 6)
    model = tmp_path / "model.pb"
    agent.export_frozen(model)
    agent.save(tmp_path)
    onnx_graph.convert(model, agent.metadata, tmp_path / "model.onnx")
    live = frozen_checks.checkpoint_outputs(tmp_path, agent.metadata, frames)
    assert live.std() > 0
    for name, outputs in frozen_checks.RUNTIMES.items():
        np.testing.assert_allclose(outputs(model, agent.metadata, frames), live, atol=1e-5, err_msg=name)
    np.testing.assert_allclose(
        FrozenPolicy(model, agent.metadata).best_actions(frames), agent.best_actions(frames), atol=1e-5
    )
    again = tmp_path / "again.pb"
    freeze_checkpoint(tmp_path, again, agent.metadata)
    assert again.read_bytes() == model.read_bytes()


def test_it_is_what_the_car_looks_for(make_agent, tmp_path):
    agent = make_agent("clipped_ppo")
    agent.export_frozen(tmp_path / "model.pb")
    graph_def = tf.GraphDef.FromString((tmp_path / "model.pb").read_bytes())
    nodes = {node.name: node for node in graph_def.node}
    given = nodes["main_level/agent/main/online/network_0/FRONT_FACING_CAMERA/FRONT_FACING_CAMERA"]
    assert given.op == "Placeholder"
    assert [size.size for size in given.attr["shape"].shape.dim] == [-1, 120, 160, 1]
    assert nodes["main_level/agent/main/online/network_1/ppo_head_0/policy"].op == "Softmax"
    assert sum(node.op == "Placeholder" for node in graph_def.node) == 1
    assert not any(node.device or "network_0/v_values_head" in node.name for node in graph_def.node)
    assert not any("grad_a" in node.attr for node in graph_def.node)


def test_a_model_without_a_sensor_key_has_the_input_observation():
    metadata = ModelMetadata.parse(NO_SENSOR)
    assert input_names(metadata) == ("main_level/agent/main/online/network_0/observation/observation",)


@pytest.mark.parametrize(
    ("algorithm", "as_known"), [("dqn", "clipped_ppo"), ("rainbow", "clipped_ppo"), ("td3", "sac")]
)
def test_others_go_to_the_car_under_names_that_it_knows(make_agent, tmp_path, algorithm, as_known):
    agent = make_agent(algorithm)
    frames = np.random.default_rng(0).integers(0, 256, (6, *agent.inputs[0].shape), dtype=np.uint8)
    agent.export_frozen(tmp_path / "model.pb")
    car = for_car((tmp_path / "model.pb").read_bytes(), agent.metadata)
    (tmp_path / "car.pb").write_bytes(car)
    policy = FrozenPolicy(tmp_path / "car.pb", replace(agent.metadata, algorithm=as_known))
    if as_known == "clipped_ppo":
        np.testing.assert_allclose(policy.outputs(frames).sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(policy.best_actions(frames), agent.best_actions(frames), atol=1e-5)
    assert CAR_OUTPUT[algorithm] not in {node.name for node in tf.GraphDef.FromString(car).node}


def test_a_noisy_policy_is_frozen_without_its_noise(make_agent, tmp_path):
    """The car gets the means alone; each policy for rollouts has one draw of the noise in its weights."""
    agent = make_agent("rainbow")
    agent.export_frozen(tmp_path / "model.pb")
    nodes = {node.name: node for node in tf.GraphDef.FromString((tmp_path / "model.pb").read_bytes()).node}
    assert not any(node.op == "RandomStandardNormal" or "stddev" in node.name for node in nodes.values())
    frames = np.random.default_rng(0).integers(0, 256, (6, *agent.inputs[0].shape), dtype=np.uint8)
    said = []
    for name in ("first", "second"):
        (output,) = agent.export_for_rollouts(tmp_path / f"{name}.pb")
        assert output != CAR_OUTPUT["rainbow"]
        policy = DrivingPolicy(tmp_path / f"{name}.pb", input_names(agent.metadata), [output], agent.explore())
        said.append(policy.ask(frames)[0])
    assert np.abs(said[0] - said[1]).max() > 1e-3
    assert np.abs(said[0] - FrozenPolicy(tmp_path / "model.pb", agent.metadata).outputs(frames)).max() > 1e-3


def test_a_ppo_model_goes_to_the_car_as_it_is():
    assert for_car(b"model", ModelMetadata.default("clipped_ppo")) == b"model"


def test_faults_of_a_model_file_are_named(make_agent, tmp_path):
    (tmp_path / "bad.pb").write_bytes(b"no graph at all")
    with pytest.raises(UserError, match=r"bad\.pb: no frozen TensorFlow graph"):
        FrozenPolicy(tmp_path / "bad.pb", ModelMetadata.default("clipped_ppo"))
    agent = make_agent("dqn")
    agent.export_frozen(tmp_path / "dqn.pb")
    with pytest.raises(UserError, match=r"dqn\.pb: has no node .*ppo_head_0/policy"):
        FrozenPolicy(tmp_path / "dqn.pb", ModelMetadata.default("clipped_ppo"))


def test_a_checkpoint_of_another_algorithm_is_named(make_agent, tmp_path):
    agent = make_agent("dqn")
    agent.save(tmp_path)
    with pytest.raises(UserError, match=r"0 nodes like .*ppo_head"):
        freeze_checkpoint(tmp_path, tmp_path / "model.pb", ModelMetadata.default("clipped_ppo"))
