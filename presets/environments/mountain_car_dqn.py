"""DQN for PatientMountainCar: values of left, nothing and right, learned from replayed steps."""

from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.architectures.layers import Dense
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.memories.memory import MemoryGranularity
from rl_coach.schedules import LinearSchedule

schedule = ScheduleParameters()
schedule.heatup_steps = EnvironmentSteps(2000)
schedule.improve_steps = EnvironmentSteps(150000)
schedule.steps_between_evaluation_periods = EnvironmentSteps(8000)
schedule.evaluation_steps = EnvironmentEpisodes(3)

agent = DQNAgentParameters()
network = agent.network_wrappers["main"]
network.input_embedders_parameters["observation"].scheme = [Dense(64)]
network.middleware_parameters.scheme = [Dense(64)]
network.learning_rate = 0.002
network.batch_size = 128
network.replace_mse_with_huber_loss = True

agent.memory.max_size = (MemoryGranularity.Transitions, 50000)
agent.exploration.epsilon_schedule = LinearSchedule(1.0, 0.05, 40000)

algorithm = agent.algorithm
algorithm.discount = 0.99
algorithm.num_consecutive_playing_steps = EnvironmentSteps(32)
algorithm.num_consecutive_training_steps = 8
algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(2000)

graph_manager = BasicRLGraphManager(
    agent_params=agent,
    env_params=GymVectorEnvironment(level="mountain_car"),
    schedule_params=schedule,
)
