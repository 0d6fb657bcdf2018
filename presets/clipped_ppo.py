"""Clipped PPO, DeepRacer's own algorithm, written out: discrete or continuous actions, by the model metadata."""

from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgentParameters
from rl_coach.architectures.layers import Conv2d, Dense
from rl_coach.core_types import EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.exploration_policies.e_greedy import EGreedyParameters
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import SimpleSchedule
from rl_coach.schedules import LinearSchedule


def get_graph_manager(**hyper):
    agent = ClippedPPOAgentParameters()

    network = agent.network_wrappers["main"]
    embedder = network.input_embedders_parameters["observation"]
    embedder.scheme, embedder.activation_function = [Conv2d(32, 8, 4), Conv2d(64, 4, 2), Conv2d(64, 3, 1)], "relu"
    network.middleware_parameters.scheme = [Dense(512)]
    network.middleware_parameters.activation_function = "relu"
    network.learning_rate = hyper["lr"]
    network.batch_size = hyper["batch_size"]
    network.optimizer_epsilon = 1e-5
    network.adam_optimizer_beta2 = 0.999
    network.replace_mse_with_huber_loss = hyper["loss_type"] == "huber"

    if hyper.get("exploration_type") == "e-greedy":  # else by its own distribution: categorical, or additive noise
        agent.exploration = EGreedyParameters()
        agent.exploration.epsilon_schedule = LinearSchedule(1.0, hyper["e_greedy_value"], hyper["epsilon_steps"])

    algorithm = agent.algorithm
    algorithm.clip_likelihood_ratio_using_epsilon = hyper["clip_epsilon"]
    algorithm.beta_entropy = hyper["beta_entropy"]
    algorithm.gae_lambda = hyper["gae_lambda"]
    algorithm.discount = hyper["discount_factor"]
    algorithm.optimization_epochs = hyper["num_epochs"]
    algorithm.num_consecutive_playing_steps = EnvironmentSteps(hyper["rollout_steps"])

    return BasicRLGraphManager(agent_params=agent, env_params=GymVectorEnvironment(), schedule_params=SimpleSchedule())
