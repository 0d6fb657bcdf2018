"""TD3 (Fujimoto et al. 2018): an actor that gives the action, two critics of which the lower counts, additive noise."""

from rl_coach.agents.td3_agent import TD3AgentParameters
from rl_coach.architectures.layers import Conv2d, Dense
from rl_coach.core_types import EnvironmentSteps, TrainingSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.exploration_policies.additive_noise import AdditiveNoiseParameters
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import SimpleSchedule
from rl_coach.schedules import LinearSchedule


def get_graph_manager(**hyper):
    agent = TD3AgentParameters()

    for network in agent.network_wrappers.values():  # actor and critic
        embedder = network.input_embedders_parameters["observation"]
        embedder.scheme, embedder.activation_function = [Conv2d(32, 8, 4), Conv2d(64, 4, 2), Conv2d(64, 3, 2)], "relu"
        network.middleware_parameters.scheme = [Dense(256)]
        network.learning_rate = hyper["lr"]
        network.batch_size = hyper["batch_size"]
    agent.network_wrappers["critic"].input_embedders_parameters["action"].scheme = [Dense(64)]

    agent.exploration = AdditiveNoiseParameters()
    agent.exploration.noise_as_percentage_from_action_space = False  # steering and speed are -1..1 here
    agent.exploration.noise_schedule = LinearSchedule(hyper["action_noise"], hyper["action_noise"], 1)

    algorithm = agent.algorithm
    algorithm.update_policy_every_x_episode_steps = 2  # the actor learns at every other gradient step
    algorithm.policy_noise, algorithm.noise_clipping = 0.2, 0.5  # of the target's actions
    algorithm.discount = hyper["discount_factor"]
    algorithm.rate_for_copying_weights_to_target = hyper["target_rate"]
    algorithm.num_steps_between_copying_online_weights_to_target = TrainingSteps(2)
    algorithm.num_consecutive_playing_steps = EnvironmentSteps(hyper["rollout_steps"])
    algorithm.num_consecutive_training_steps = hyper["updates_per_iteration"]

    return BasicRLGraphManager(agent_params=agent, env_params=GymVectorEnvironment(), schedule_params=SimpleSchedule())
