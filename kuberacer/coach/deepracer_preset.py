"""The graph manager that DeepRacer's hyperparameters and metadata describe, for rl_coach's ClippedPPO, SAC and DQN."""

from typing import Any

from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgentParameters
from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.agents.soft_actor_critic_agent import SoftActorCriticAgentParameters
from rl_coach.architectures.embedder_parameters import InputEmbedderParameters
from rl_coach.architectures.layers import BatchnormActivationDropout, Conv2d, Dense
from rl_coach.architectures.middleware_parameters import FCMiddlewareParameters
from rl_coach.base_parameters import VisualizationParameters
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, TrainingSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.exploration_policies.e_greedy import EGreedyParameters
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.schedules import LinearSchedule

from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError

UNLIMITED = 10**12
MIDDLEWARE_UNITS = 512
LIDAR_UNITS = (256, 256)  # whatever the network of the camera


def graph_manager(metadata: ModelMetadata, hyper: Hyperparameters) -> Any:
    """rl_coach's BasicRLGraphManager, not created yet (see coach_graph.build_graph)."""
    build = {"clipped_ppo": _clipped_ppo, "sac": _sac, "dqn": _dqn}[metadata.algorithm]
    parameters = build(metadata, hyper)
    for network in parameters.network_wrappers.values():
        _describe_network(network, metadata, hyper)
    parameters.algorithm.discount = hyper["discount_factor"]
    episodes = hyper["num_episodes_between_training"]
    parameters.algorithm.num_consecutive_playing_steps = (
        EnvironmentEpisodes(episodes) if episodes is not None else EnvironmentSteps(hyper["rollout_steps"])
    )
    schedule = ScheduleParameters()
    schedule.heatup_steps = EnvironmentSteps(0)
    schedule.improve_steps = TrainingSteps(UNLIMITED)
    schedule.steps_between_evaluation_periods = EnvironmentEpisodes(UNLIMITED)
    schedule.evaluation_steps = EnvironmentEpisodes(0)
    return BasicRLGraphManager(
        agent_params=parameters,
        env_params=GymVectorEnvironment(level="the environment is set when the graph is built"),
        schedule_params=schedule,
        vis_params=VisualizationParameters(dump_csv=False),
    )


def _describe_network(network: Any, metadata: ModelMetadata, hyper: Hyperparameters) -> None:
    (embedder,) = network.input_embedders_parameters.values()
    network.input_embedders_parameters = {metadata.camera: embedder}
    if metadata.lidar is not None:
        layers = [Dense(units) for units in LIDAR_UNITS]
        network.input_embedders_parameters[metadata.lidar] = InputEmbedderParameters("relu", layers)
    embedder.scheme, embedder.activation_function = _convolutions(metadata.network)
    network.middleware_parameters = FCMiddlewareParameters(scheme=[Dense(MIDDLEWARE_UNITS)], activation_function="relu")
    network.batch_size = hyper["batch_size"]
    network.learning_rate = hyper["lr"]
    network.optimizer_epsilon = 1e-5
    network.adam_optimizer_beta2 = 0.999
    network.replace_mse_with_huber_loss = hyper["loss_type"] == "huber"


def _convolutions(network: str) -> tuple[list[Any], str]:
    """(layers, activation after each) of one of DeepRacer's networks; Conv2d(filters, kernel, stride)."""
    if network == "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW":
        return [Conv2d(32, 8, 4), Conv2d(64, 4, 2), Conv2d(64, 3, 1)], "relu"
    if network == "DEEP_CONVOLUTIONAL_NETWORK":
        return [Conv2d(32, 5, 2), Conv2d(32, 3, 1), Conv2d(64, 3, 2), Conv2d(64, 3, 1), Dense(64)], "tanh"
    layers: list[Any] = []
    for convolution in (Conv2d(32, 8, 4), Conv2d(32, 4, 2), Conv2d(64, 4, 2), Conv2d(64, 3, 1)):
        layers += [convolution, BatchnormActivationDropout(batchnorm=True, activation_function="relu")]
    for _ in range(2):
        layers += [Dense(512), BatchnormActivationDropout(activation_function="relu")]
    return layers, "none"


def _clipped_ppo(metadata: ModelMetadata, hyper: Hyperparameters) -> Any:
    parameters = ClippedPPOAgentParameters()
    algorithm = parameters.algorithm
    algorithm.clip_likelihood_ratio_using_epsilon = hyper["clip_epsilon"]
    algorithm.beta_entropy = hyper["beta_entropy"]
    algorithm.gae_lambda = hyper["gae_lambda"]
    algorithm.optimization_epochs = hyper["num_epochs"]
    kind = hyper["exploration_type"]
    if kind == "e-greedy" and metadata.continuous:
        raise UserError(
            "hyperparameters: exploration_type is 'e-greedy', but the action space is continuous",
            "leave exploration_type out, or give additive_noise",
        )
    if kind == "additive_noise" and not metadata.continuous:
        raise UserError(
            "hyperparameters: exploration_type is 'additive_noise', but the action space is discrete",
            "leave exploration_type out, or give categorical or e-greedy",
        )
    if kind == "e-greedy":
        parameters.exploration = _e_greedy(hyper)
    return parameters


def _sac(metadata: ModelMetadata, hyper: Hyperparameters) -> Any:
    parameters = SoftActorCriticAgentParameters()
    parameters.algorithm.rate_for_copying_weights_to_target = hyper["target_rate"]
    parameters.algorithm.num_consecutive_training_steps = hyper["updates_per_iteration"]
    # rl_coach's losses weigh entropy with 1 and want the reward scaled instead.
    parameters.input_filter = InputFilter()
    parameters.input_filter.add_reward_filter("alpha", RewardRescaleFilter(1 / hyper["sac_alpha"]))
    return parameters


def _dqn(metadata: ModelMetadata, hyper: Hyperparameters) -> Any:
    parameters = DQNAgentParameters()
    parameters.algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(
        hyper["target_update_steps"]
    )
    parameters.algorithm.num_consecutive_training_steps = hyper["updates_per_iteration"]
    parameters.exploration = _e_greedy(hyper)
    return parameters


def _e_greedy(hyper: Hyperparameters) -> Any:
    exploration = EGreedyParameters()
    exploration.epsilon_schedule = LinearSchedule(1.0, hyper["e_greedy_value"], hyper["epsilon_steps"])
    return exploration
