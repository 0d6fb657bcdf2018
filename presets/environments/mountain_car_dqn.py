"""DQN for PatientMountainCar: values of left, nothing and right, learned from replayed steps."""

from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.architectures.layers import Dense
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.filters.filter import InputFilter
from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.memories.memory import MemoryGranularity
from rl_coach.schedules import LinearSchedule

schedule = ScheduleParameters()
schedule.heatup_steps = EnvironmentSteps(2000)
schedule.improve_steps = EnvironmentSteps(100000)
schedule.steps_between_evaluation_periods = EnvironmentSteps(8000)
schedule.evaluation_steps = EnvironmentEpisodes(10)

agent = DQNAgentParameters()
network = agent.network_wrappers["main"]
network.input_embedders_parameters["observation"].scheme = [Dense(64)]
network.middleware_parameters.scheme = [Dense(64)]
network.learning_rate = 0.001
network.batch_size = 128
network.replace_mse_with_huber_loss = True
network.optimizer_epsilon = 1e-8
network.adam_optimizer_beta2 = 0.999

# Values of some −100 are out of reach of a small learning rate: it learns them ten times smaller.
agent.input_filter = InputFilter()
agent.input_filter.add_reward_filter("rescale", RewardRescaleFilter(0.1))

agent.memory.max_size = (MemoryGranularity.Transitions, 50000)
agent.exploration.epsilon_schedule = LinearSchedule(1.0, 0.05, 30000)

algorithm = agent.algorithm
algorithm.discount = 0.98
algorithm.num_consecutive_playing_steps = EnvironmentSteps(16)
algorithm.num_consecutive_training_steps = 8
# A value can fall by one reward a copy, and that of the start is some −45: it takes a hundred copies to know it.
algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(250)

graph_manager = BasicRLGraphManager(
    agent_params=agent,
    env_params=GymVectorEnvironment(level="mountain_car"),
    schedule_params=schedule,
)
