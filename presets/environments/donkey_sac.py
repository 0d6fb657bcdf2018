"""Soft actor-critic for the donkey car: edges of the road in black and white, steering, reward by cross-track error."""

import numpy as np
from rl_coach.agents.soft_actor_critic_agent import SoftActorCriticAgentParameters
from rl_coach.architectures.layers import Conv2d, Dense
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps, TrainingSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.observation.observation_crop_filter import ObservationCropFilter
from rl_coach.filters.observation.observation_rgb_to_y_filter import ObservationRGBToYFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import SimpleSchedule
from rl_coach.memories.memory import MemoryGranularity
from rl_coach.schedules import LinearSchedule

from kuberacer.coach.filters import (
    ObservationAddChannelFilter,
    ObservationBinariseFilter,
    ObservationSobelFilter,
    ObservationToFloatFilter,
)

RANGES = {
    "improve_steps": (1, 10**9),  # environment steps of the training
    "heatup_steps": (0, 10**6),  # random ones before it
    "evaluation_steps": (1, 10**6),  # of an episode, after which it is cut
    "evaluation_episodes": (1, 100),  # of each evaluation
    "steps_between_evaluation_periods": (1, 10**9),
    "num_training_per_episode": (1, 10**5),  # gradient steps
    "batch_size": (16, 1024),
    "learning_rate": (1e-6, 1e-2),
    "discount": (0.0, 1.0),
    "replay_size": (1000, 10**6),  # frames, 12.8 kB each
    "throttle": (0.05, 1.0),
    "max_cte": (0.5, 20.0),  # between the car and the road's centre before an episode ends
    "scale_cte_reward": (0.01, 1000.0),  # on the centre line
    "crash_reward": (-100000.0, 0.0),
    "edge_threshold": (0.0, 1500.0),  # of Sobel's slope; the road's lines have 300 to 700
    "initial_noise": (0.0, 1.0),  # see below
}


def get_graph_manager(
    improve_steps=20000,
    heatup_steps=300,
    evaluation_steps=800,
    evaluation_episodes=5,
    steps_between_evaluation_periods=2000,
    num_training_per_episode=50,
    batch_size=64,
    learning_rate=0.0003,
    discount=0.99,
    replay_size=50000,
    throttle=0.30,
    max_cte=6.0,
    scale_cte_reward=5.0,
    crash_reward=-200.0,
    edge_threshold=100.0,
    initial_noise=0.3,
):
    environment = GymVectorEnvironment(level="donkey_car")
    environment.additional_simulator_parameters = {
        "throttle": throttle,
        "max_cte": max_cte,
        "scale_cte_reward": scale_cte_reward,
        "crash_reward": crash_reward,
        "max_episode_steps": evaluation_steps,
    }

    agent = SoftActorCriticAgentParameters()
    for network in agent.network_wrappers.values():  # policy, critic and value
        network.batch_size = batch_size
        network.learning_rate = learning_rate
        embedder = network.input_embedders_parameters["observation"]
        embedder.scheme, embedder.activation_function = [Conv2d(16, 8, 8), Conv2d(32, 3, 2)], "relu"
        embedder.input_rescaling = {"image": 1.0}  # pixels are 0 and 1
    for name in ("policy", "v"):
        agent.network_wrappers[name].middleware_parameters.scheme = [Dense(128)]
    agent.network_wrappers["q"].heads_parameters[0].network_layers_sizes = (128, 128)
    agent.memory.max_size = (MemoryGranularity.Transitions, replay_size)

    agent.input_filter = InputFilter()
    for name, given in {
        "float": ObservationToFloatFilter(),
        "grey": ObservationRGBToYFilter(),
        "crop": ObservationCropFilter(np.array([40, 0]), np.array([120, 160])),  # without the sky
        "edges": ObservationSobelFilter(),
        "binary": ObservationBinariseFilter(edge_threshold),
        "channel": ObservationAddChannelFilter(),
    }.items():
        agent.input_filter.add_observation_filter("observation", name, given)

    agent.algorithm.discount = discount
    agent.algorithm.act_for_full_episodes = True
    agent.algorithm.num_consecutive_training_steps = num_training_per_episode
    # rl_coach's SAC draws from its own policy and never asks this schedule; it is the seed's, and has no effect.
    agent.exploration.noise_schedule = LinearSchedule(initial_noise, 0.0, improve_steps)
    agent.exploration.evaluation_noise = 0.0

    schedule = SimpleSchedule()
    schedule.heatup_steps = EnvironmentSteps(heatup_steps)
    schedule.improve_steps = TrainingSteps(improve_steps)
    schedule.steps_between_evaluation_periods = EnvironmentSteps(steps_between_evaluation_periods)
    schedule.evaluation_steps = EnvironmentEpisodes(evaluation_episodes)
    return BasicRLGraphManager(agent_params=agent, env_params=environment, schedule_params=schedule)
