"""Rainbow (Hessel et al. 2018): DQN with a distribution of returns, noisy layers, prioritised replay, three steps.

The noise of the layers explores, so there is no epsilon; v_min and v_max must hold the returns that your reward gives.
"""

from rl_coach.agents.rainbow_dqn_agent import RainbowDQNAgentParameters
from rl_coach.architectures.layers import Conv2d
from rl_coach.core_types import EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import SimpleSchedule


def get_graph_manager(**hyper):
    agent = RainbowDQNAgentParameters()  # its exploration is parameter noise, its memory prioritised

    network = agent.network_wrappers["main"]
    network.input_embedders_parameters["observation"].scheme = [Conv2d(32, 8, 4), Conv2d(64, 4, 2), Conv2d(64, 3, 2)]
    network.learning_rate = hyper["lr"]
    network.batch_size = hyper["batch_size"]

    algorithm = agent.algorithm
    algorithm.v_min, algorithm.v_max = hyper["v_min"], hyper["v_max"]
    algorithm.n_step = hyper["n_step"]
    algorithm.discount = hyper["discount_factor"]
    algorithm.num_consecutive_playing_steps = EnvironmentSteps(hyper["rollout_steps"])
    algorithm.num_consecutive_training_steps = hyper["updates_per_iteration"]
    algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(hyper["target_update_steps"])

    return BasicRLGraphManager(agent_params=agent, env_params=GymVectorEnvironment(), schedule_params=SimpleSchedule())
