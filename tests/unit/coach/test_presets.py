"""The graphs that metadata, hyperparameters and users' presets describe."""

import pytest

from kuberacer.coach.build import build_agent
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.user_preset import Preset
from kuberacer.errors import UserError
from tests.unit.coach.presets import CONTINUOUS, STEREO_AND_SECTORS, WITH_LIDAR, small_preset

# A preset as DeepRacer's users write them: a function, filters that make grey frames and stack them, seven episodes.
FUNCTION = """
import json
import tensorflow as tf
from rl_coach.agents.{module} import {agent}AgentParameters
from rl_coach.architectures.layers import BatchnormActivationDropout, Conv2d, Dense
from rl_coach.architectures.embedder_parameters import InputEmbedderParameters
from rl_coach.architectures.middleware_parameters import FCMiddlewareParameters
from rl_coach.base_parameters import DistributedCoachSynchronizationType, PresetValidationParameters
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, TrainingSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.exploration_policies.e_greedy import EGreedyParameters
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_rgb_to_y_filter import ObservationRGBToYFilter
from rl_coach.filters.observation.observation_stacking_filter import ObservationStackingFilter
from rl_coach.filters.observation.observation_to_uint8_filter import ObservationToUInt8Filter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.schedules import LinearSchedule

assert tf.VERSION and tf.placeholder and tf.layers and tf.contrib


def get_graph_manager(**hp_dict):
    agent_params = {agent}AgentParameters()
    network = agent_params.network_wrappers['main']
    network.learning_rate = float(hp_dict.get('lr'))
    network.batch_size = int(hp_dict.get('batch_size', 64))
    network.input_embedders_parameters = {{'observation': InputEmbedderParameters(scheme=[
        Conv2d(4, 16, 16), BatchnormActivationDropout(batchnorm=True, activation_function='relu'),
        Dense(8), BatchnormActivationDropout(activation_function='relu', dropout_rate=0.5)],
        activation_function='none')}}
    network.middleware_parameters = FCMiddlewareParameters(scheme=[Dense(8)], activation_function='relu')
    agent_params.algorithm.num_consecutive_playing_steps = EnvironmentEpisodes(7)
    agent_params.algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentEpisodes(7)
    agent_params.algorithm.distributed_coach_synchronization_type = DistributedCoachSynchronizationType.SYNC
    agent_params.exploration = EGreedyParameters()
    agent_params.exploration.epsilon_schedule = LinearSchedule(1.0, 0.05, 100)
    schedule_params = ScheduleParameters()
    schedule_params.improve_steps = TrainingSteps(10000)
    schedule_params.steps_between_evaluation_periods = EnvironmentEpisodes(40)
    schedule_params.evaluation_steps = EnvironmentEpisodes(5)
    schedule_params.heatup_steps = EnvironmentSteps(0)
    grey = InputFilter(is_a_reference_filter=True)
    grey.add_observation_filter('observation', 'to_grayscale', ObservationRGBToYFilter())
    grey.add_observation_filter('observation', 'to_uint8', ObservationToUInt8Filter(0, 255))
    grey.add_observation_filter('observation', 'stacking', ObservationStackingFilter(hp_dict['stack_size']))
    env_params = GymVectorEnvironment()
    env_params.default_input_filter = grey
    env_params.level = 'DeepRacerRacetrackCustomActionSpaceEnv-v0'
    graph_manager = BasicRLGraphManager(
        agent_params=agent_params, env_params=env_params, schedule_params=schedule_params,
        vis_params=VisualizationParameters(), preset_validation_params=PresetValidationParameters())
    return graph_manager, json.dumps(hp_dict, sort_keys=True)
"""


def deepracer_preset(algorithm):
    module, agent = {"clipped_ppo": ("clipped_ppo_agent", "ClippedPPO"), "dqn": ("dqn_agent", "DQN")}[algorithm]
    return FUNCTION.format(module=module, agent=agent)


@pytest.mark.parametrize("algorithm", ["clipped_ppo", "dqn"])
def test_a_preset_as_deepracer_users_write_it(make_agent, algorithm):
    import numpy as np

    hyper = '{"lr": "0.0004", "batch_size": 32, "stack_size": 2}'
    agent = make_agent(algorithm, preset=deepracer_preset(algorithm), hyper=hyper)
    assert agent.inputs[0].shape == (120, 160, 2)
    assert agent._rhythm == 7
    parameters = agent.coach.parameters.network_wrappers["main"]
    assert (parameters.learning_rate, parameters.batch_size) == (0.0004, 32)
    rng = np.random.default_rng(0)
    for _ in range(300):
        frames = rng.integers(0, 256, (4, 120, 160, 2), dtype=np.uint8)
        agent.act(frames)
        agent.observe(rng.random(4), rng.random(4) < 0.05, np.zeros(4, bool))
    stats = agent.learn(frames)
    assert all(np.isfinite(value) for value in stats.values())
    averages = [v for v in agent.coach.saved_variables if "online" in v.name and v.op.name.endswith("moving_mean")]
    assert all(np.abs(value).max() > 0 for value in agent.coach.session.run(averages))
    assert averages


@pytest.mark.parametrize(
    ("network", "shapes"),
    [
        ("DEEP_CONVOLUTIONAL_NETWORK_SHALLOW", [(8, 8, 1, 32), (4, 4, 32, 64), (3, 3, 64, 64), (11264, 512)]),
        (
            "DEEP_CONVOLUTIONAL_NETWORK",
            [(5, 5, 1, 32), (3, 3, 32, 32), (3, 3, 32, 64), (3, 3, 64, 64), (64, 64), (56000, 512)],
        ),
        (
            "DEEP_CONVOLUTIONAL_NETWORK_DEEP",
            [(8, 8, 1, 32), (4, 4, 32, 32), (4, 4, 32, 64), (3, 3, 64, 64), (64, 512), (512, 512), (9216, 512)],
        ),
    ],
)
def test_deepracers_networks_in_two_towers(make_agent, whole_networks, network, shapes):
    """rl_coach's Dense after a convolution acts on each position's channels: it is small, the middleware is large."""
    metadata = CONTINUOUS.replace('{"action_space"', f'{{"neural_network": "{network}", "action_space"', 1)
    agent = make_agent("clipped_ppo", metadata=metadata, preset=None)
    for tower in (0, 1):
        kernels = [
            tuple(variable.shape.as_list())
            for variable in agent.coach.saved_variables
            if f"main/online/network_{tower}/" in variable.name
            and variable.op.name.endswith("/kernel")
            and "_head_" not in variable.name
        ]
        assert kernels == shapes
    names = {variable.op.name for variable in agent.coach.saved_variables}
    assert "main_level/agent/main/online/network_1/FRONT_FACING_CAMERA/Conv2d_0/kernel" in names


def test_hyperparameters_reach_rl_coach(make_agent):
    hyper = (
        '{"lr": 1e-4, "batch_size": 128, "num_epochs": 7, "discount_factor": 0.9, "loss_type": "huber",'
        ' "beta_entropy": 0.02, "gae_lambda": 0.8, "clip_epsilon": 0.3, "num_episodes_between_training": 9,'
        ' "exploration_type": "e-greedy", "e_greedy_value": 0.1, "epsilon_steps": 50, "stack_size": 3}'
    )
    agent = make_agent("clipped_ppo", hyper=hyper, preset=None)
    network, algorithm = agent.coach.parameters.network_wrappers["main"], agent.coach.parameters.algorithm
    assert (network.learning_rate, network.batch_size, network.replace_mse_with_huber_loss) == (1e-4, 128, True)
    assert (algorithm.optimization_epochs, algorithm.discount, algorithm.gae_lambda) == (7, 0.9, 0.8)
    assert (algorithm.beta_entropy, algorithm.clip_likelihood_ratio_using_epsilon) == (0.02, 0.3)
    assert (agent._by_episodes, agent._rhythm, agent.stack_size) == (True, 9, 3)
    schedule = agent.coach.agent.exploration_policy.epsilon_schedule
    assert (schedule.initial_value, schedule.final_value, schedule.decay_steps) == (1.0, 0.1, 50)


def build(algorithm="clipped_ppo", preset=None, metadata=None, hyper=None):
    loaded = Preset.load(preset) if preset else None
    return build_agent(
        ModelMetadata.parse(metadata, algorithm), Hyperparameters.parse(hyper, algorithm), cars=1, preset=loaded
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1", "neither graph_manager nor get_graph_manager"),
        ("def broken(:\n  pass", "line 1"),
        ("\n\nimport nothing_of_that_name", "line 3: ModuleNotFoundError"),
        ("def get_graph_manager(**hp):\n    return 1 / 0", "line 2: ZeroDivisionError"),
        ("graph_manager = 7", "graph_manager is int"),
        (small_preset("dqn"), "it makes dqn, the run's algorithm is clipped_ppo"),
        (small_preset("clipped_ppo", "del agent_params.algorithm.discount"), "rl_coach cannot build"),
        (
            small_preset("clipped_ppo").replace("scheme = [Conv2d(4, 16, 16), Dense(8)]", "scheme = 'no scheme'"),
            "rl_coach cannot build",
        ),
    ],
)
def test_a_fault_in_a_preset_is_named(source, said):
    with pytest.raises(UserError) as caught:
        build(preset=source)
    assert said in str(caught.value)
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("metadata", "hyper", "said"),
    [
        (CONTINUOUS, '{"exploration_type": "e-greedy"}', "continuous"),
        (None, '{"exploration_type": "additive_noise"}', "discrete"),
    ],
)
def test_parts_that_do_not_fit(metadata, hyper, said):
    with pytest.raises(UserError, match=said):
        build(metadata=metadata, hyper=hyper)


GREY_STACK = """
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_stacking_filter import ObservationStackingFilter
agent_params.input_filter = InputFilter()
agent_params.input_filter.add_observation_filter('observation', 'stacking', ObservationStackingFilter(1))
"""


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (small_preset("clipped_ppo"), "inputs observation; sensor is STEREO_CAMERAS, SECTOR_LIDAR"),
        (small_preset("clipped_ppo", WITH_LIDAR.format(lidar="LIDAR")), "inputs observation, LIDAR; sensor is"),
        (
            small_preset("clipped_ppo", WITH_LIDAR.format(lidar="SECTOR_LIDAR") + GREY_STACK),
            "one grey frame of STEREO_CAMERAS, which has 2",
        ),
    ],
)
def test_a_preset_that_does_not_take_the_metadatas_sensors_is_named(source, said):
    with pytest.raises(UserError, match=said) as caught:
        build(preset=source, metadata=STEREO_AND_SECTORS)
    assert caught.value.remedy


def test_a_preset_takes_stereo_and_a_lidar(make_agent):
    agent = make_agent(
        "clipped_ppo",
        metadata=STEREO_AND_SECTORS,
        hyper='{"stack_size": 3}',
        more=WITH_LIDAR.format(lidar="SECTOR_LIDAR"),
    )
    assert [given.shape for given in agent.inputs] == [(120, 160, 6), (8,)]
    assert agent.stack_size == 3


@pytest.mark.parametrize("network", ["DEEP_CONVOLUTIONAL_NETWORK_SHALLOW", "DEEP_CONVOLUTIONAL_NETWORK_DEEP"])
def test_a_lidar_has_two_dense_layers_beside_the_camera(make_agent, whole_networks, network):
    metadata = STEREO_AND_SECTORS.replace('{"action_space"', f'{{"neural_network": "{network}", "action_space"', 1)
    agent = make_agent("clipped_ppo", metadata=metadata, preset=None)
    shapes = {variable.op.name: tuple(variable.shape.as_list()) for variable in agent.coach.saved_variables}
    tower = "main_level/agent/main/online/network_1/"
    assert shapes[tower + "SECTOR_LIDAR/Dense_0/kernel"] == (8, 256)
    assert shapes[tower + "SECTOR_LIDAR/Dense_2/kernel"] == (256, 256)
    assert shapes[tower + "STEREO_CAMERAS/Conv2d_0/kernel"] == (8, 8, 2, 32)
    middleware = {"DEEP_CONVOLUTIONAL_NETWORK_SHALLOW": 11264, "DEEP_CONVOLUTIONAL_NETWORK_DEEP": 9216}[network] + 256
    assert any(shape == (middleware, 512) for shape in shapes.values())
