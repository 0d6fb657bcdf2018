"""Presets with small networks: the same code paths as DeepRacer's networks, in a tenth of the time."""

SMALL_NETWORK = """
from rl_coach.agents.clipped_ppo_agent import ClippedPPOAgentParameters
from rl_coach.agents.categorical_dqn_agent import CategoricalDQNAgentParameters
from rl_coach.agents.ddpg_agent import DDPGAgentParameters
from rl_coach.agents.ddqn_agent import DDQNAgentParameters
from rl_coach.agents.dqn_agent import DQNAgentParameters
from rl_coach.agents.qr_dqn_agent import QuantileRegressionDQNAgentParameters
from rl_coach.agents.rainbow_dqn_agent import RainbowDQNAgentParameters
from rl_coach.agents.soft_actor_critic_agent import SoftActorCriticAgentParameters
from rl_coach.agents.td3_agent import TD3AgentParameters
from rl_coach.architectures.layers import Conv2d, Dense
from rl_coach.core_types import EnvironmentEpisodes, EnvironmentSteps
from rl_coach.environments.gym_environment import GymVectorEnvironment
from rl_coach.exploration_policies.additive_noise import AdditiveNoiseParameters
from rl_coach.graph_managers.basic_rl_graph_manager import BasicRLGraphManager
from rl_coach.graph_managers.graph_manager import SimpleSchedule

agent_params = {agent}AgentParameters()
for network in agent_params.network_wrappers.values():
    embedder = network.input_embedders_parameters['observation']
    embedder.scheme = [Conv2d(4, 16, 16), Dense(8)]
    embedder.activation_function = 'relu'
    network.middleware_parameters.scheme = [Dense(8)]
    if 'action' in network.input_embedders_parameters:
        network.input_embedders_parameters['action'].scheme = [Dense(4)]
    network.batch_size = 32
    network.learning_rate = 1e-3
{own}
{more}
graph_manager = BasicRLGraphManager(
    agent_params=agent_params, env_params=GymVectorEnvironment(), schedule_params=SimpleSchedule())
"""
# For the metadata's lidar, beside the small network of the camera.
WITH_LIDAR = """
from rl_coach.architectures.embedder_parameters import InputEmbedderParameters
for network in agent_params.network_wrappers.values():
    network.input_embedders_parameters['{lidar}'] = InputEmbedderParameters(scheme=[Dense(4)])
"""
AGENT_NAMES = {
    "clipped_ppo": "ClippedPPO",
    "sac": "SoftActorCritic",
    "dqn": "DQN",
    "ddqn": "DDQN",
    "categorical_dqn": "CategoricalDQN",
    "qr_dqn": "QuantileRegressionDQN",
    "rainbow": "RainbowDQN",
    "ddpg": "DDPG",
    "td3": "TD3",
}
# What an algorithm needs beside small networks.
OWN = {"ddpg": "agent_params.exploration = AdditiveNoiseParameters()"}
CONTINUOUS = (
    '{"action_space": {"speed": {"low": 0.8, "high": 1.2}, "steering_angle": {"low": -30, "high": 30}},'
    ' "sensor": ["FRONT_FACING_CAMERA"], "training_algorithm": "clipped_ppo"}'
)
STEREO_AND_SECTORS = CONTINUOUS.replace('"FRONT_FACING_CAMERA"', '"STEREO_CAMERAS", "SECTOR_LIDAR"')


def random_observation(agent, rng, count=None):
    """What so many cars might see, all of the agent's without a number. rng: of numpy, which the tools are without."""
    from kuberacer.coach.sensors import joined

    cars = count or agent.cars
    camera, *lidar = agent.inputs
    frames = rng.integers(0, 256, (cars, *camera.shape), dtype="uint8")
    return joined((frames, *(rng.uniform(0.15, 1, (cars, *given.shape)).astype("float32") for given in lidar)))


def small_preset(algorithm, more=""):
    return SMALL_NETWORK.format(agent=AGENT_NAMES[algorithm], own=OWN.get(algorithm, ""), more=more)
