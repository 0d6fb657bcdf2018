"""DQN: a value for each action, learned from replayed steps. Start here to write a preset of your own.

The hyperparameters come as keyword arguments; docs/algorithms.md says which ones there are.
"""

from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.architectures.layers import Conv2d, Dense
from rl_coach.core_types import EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.exploration_policies.e_greedy import EGreedyParameters
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import SimpleSchedule
from rl_coach.schedules import LinearSchedule


def get_graph_manager(**hyper):
    agent = DQNAgentParameters()

    network = agent.network_wrappers["main"]
    network.input_embedders_parameters["observation"].scheme = [Conv2d(32, 8, 4), Conv2d(64, 4, 2), Conv2d(64, 3, 1)]
    network.middleware_parameters.scheme = [Dense(512)]
    network.learning_rate = hyper["lr"]
    network.batch_size = hyper["batch_size"]
    network.replace_mse_with_huber_loss = hyper["loss_type"] == "huber"

    agent.exploration = EGreedyParameters()
    agent.exploration.epsilon_schedule = LinearSchedule(1.0, hyper["e_greedy_value"], hyper["epsilon_steps"])

    algorithm = agent.algorithm
    algorithm.discount = hyper["discount_factor"]
    algorithm.num_consecutive_playing_steps = EnvironmentSteps(hyper["rollout_steps"])
    algorithm.num_consecutive_training_steps = hyper["updates_per_iteration"]
    algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(hyper["target_update_steps"])

    return BasicRLGraphManager(agent_params=agent, env_params=GymVectorEnvironment(), schedule_params=SimpleSchedule())
