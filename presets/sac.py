"""Soft actor-critic: continuous actions, drawn from a policy that is paid for staying uncertain."""

from rl_coach.agents.soft_actor_critic_agent import SoftActorCriticAgentParameters
from rl_coach.architectures.layers import Conv2d, Dense
from rl_coach.core_types import EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import SimpleSchedule


def get_graph_manager(**hyper):
    agent = SoftActorCriticAgentParameters()  # it explores by its own policy

    for network in agent.network_wrappers.values():  # policy, critic and value
        embedder = network.input_embedders_parameters["observation"]
        embedder.scheme, embedder.activation_function = [Conv2d(32, 8, 4), Conv2d(64, 4, 2), Conv2d(64, 3, 1)], "relu"
        network.middleware_parameters.scheme = [Dense(512)]
        network.learning_rate = hyper["lr"]
        network.batch_size = hyper["batch_size"]
        network.replace_mse_with_huber_loss = hyper["loss_type"] == "huber"

    agent.input_filter = InputFilter()  # rl_coach weighs the entropy with 1: the reward is scaled instead
    agent.input_filter.add_reward_filter("alpha", RewardRescaleFilter(1 / hyper["sac_alpha"]))

    algorithm = agent.algorithm
    algorithm.discount = hyper["discount_factor"]
    algorithm.rate_for_copying_weights_to_target = hyper["target_rate"]
    algorithm.num_consecutive_playing_steps = EnvironmentSteps(hyper["rollout_steps"])
    algorithm.num_consecutive_training_steps = hyper["updates_per_iteration"]

    return BasicRLGraphManager(agent_params=agent, env_params=GymVectorEnvironment(), schedule_params=SimpleSchedule())
