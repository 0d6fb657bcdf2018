"""A template of a preset for an environment of one's own: DQN with a small network.

`level` is the environment where ENVIRONMENT names none: a Gymnasium id, or module:Class of an installed module.
"""

from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.architectures.layers import Dense
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import ScheduleParameters
from rl_coach.memories.memory import MemoryGranularity
from rl_coach.schedules import LinearSchedule

schedule = ScheduleParameters()
schedule.heatup_steps = EnvironmentSteps(1000)
schedule.improve_steps = EnvironmentSteps(30000)  # the end of the training
schedule.steps_between_evaluation_periods = EnvironmentSteps(3200)  # one iteration: a checkpoint, an evaluation
schedule.evaluation_steps = EnvironmentEpisodes(10)

agent = DQNAgentParameters()
network = agent.network_wrappers["main"]
network.input_embedders_parameters["observation"].scheme = [Dense(64)]
network.middleware_parameters.scheme = [Dense(64)]
network.learning_rate = 0.001
network.batch_size = 128
network.replace_mse_with_huber_loss = True

agent.memory.max_size = (MemoryGranularity.Transitions, 30000)
agent.exploration.epsilon_schedule = LinearSchedule(1.0, 0.05, 15000)

algorithm = agent.algorithm
algorithm.discount = 0.97
algorithm.num_consecutive_playing_steps = EnvironmentSteps(32)
algorithm.num_consecutive_training_steps = 8
algorithm.num_steps_between_copying_online_weights_to_target = EnvironmentSteps(1000)

graph_manager = BasicRLGraphManager(
    agent_params=agent,
    env_params=GymVectorEnvironment(level="own_environment:Rail"),
    schedule_params=schedule,
)
