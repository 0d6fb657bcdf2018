"""Clipped PPO for PatientContinuousMountainCar: a small network, long rollouts, one phase of learning after each."""

from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgentParameters
from rl_coach.architectures.layers import Dense
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.schedules import ConstantSchedule

schedule = ScheduleParameters()
schedule.heatup_steps = EnvironmentSteps(0)
schedule.improve_steps = EnvironmentSteps(100000)
schedule.steps_between_evaluation_periods = EnvironmentSteps(10000)
schedule.evaluation_steps = EnvironmentEpisodes(3)

agent = ClippedPPOAgentParameters()
network = agent.network_wrappers["main"]
network.input_embedders_parameters["observation"].scheme = [Dense(32)]
network.input_embedders_parameters["observation"].activation_function = "tanh"
network.middleware_parameters.scheme = [Dense(32)]
network.middleware_parameters.activation_function = "tanh"
network.learning_rate = 0.003
network.batch_size = 256
network.optimizer_epsilon = 1e-5
network.adam_optimizer_beta2 = 0.999

algorithm = agent.algorithm
algorithm.clip_likelihood_ratio_using_epsilon = 0.2
algorithm.clipping_decay_schedule = ConstantSchedule(1)
algorithm.beta_entropy = 0
algorithm.discount = 0.995
algorithm.gae_lambda = 0.997
algorithm.optimization_epochs = 15
algorithm.num_consecutive_playing_steps = EnvironmentSteps(20000)

graph_manager = BasicRLGraphManager(
    agent_params=agent,
    env_params=GymVectorEnvironment(level="mountain_car_continuous"),
    schedule_params=schedule,
)
