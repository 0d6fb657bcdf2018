"""The presets to start from, and which algorithm, exploration and loss a preset may ask for."""

from pathlib import Path

import numpy as np
import pytest

from kuberacer.coach.algorithms import ALGORITHMS
from kuberacer.coach.deepracer_preset import graph_manager
from kuberacer.coach.exploration import check
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.user_preset import NAMES, Preset
from kuberacer.errors import UserError
from tests.unit.coach.presets import CONTINUOUS, small_preset
from tests.unit.coach.test_ppo import play

EXAMPLES = sorted((Path(__file__).parents[3] / "presets").glob("*.py"))
SMALL = '{"rollout_steps": 32, "updates_per_iteration": 2, "heatup_steps": 32, "replay_size": 1000, "batch_size": 32}'
NO_METADATA = ModelMetadata.default


def manager(source, algorithm, hyper=None, metadata=None):
    parsed = ModelMetadata.parse(metadata, algorithm, by_preset=True)
    return Preset.load(source).graph_manager(parsed, Hyperparameters.parse(hyper, algorithm))[0]


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_says_its_algorithm_and_takes_its_hyperparameters(path):
    preset = Preset.load(path.read_text())
    assert preset.algorithm(None) == path.stem
    hyper = '{"lr": 1e-5, "batch_size": 48, "discount_factor": 0.5, "rollout_steps": 96}'
    parameters = manager(path.read_text(), path.stem, hyper).agent_params
    assert all((n.learning_rate, n.batch_size) == (1e-5, 48) for n in parameters.network_wrappers.values())
    assert parameters.algorithm.discount == 0.5
    assert parameters.algorithm.num_consecutive_playing_steps.num_steps == 96


def test_the_preset_decides_but_contradicts_no_one():
    preset = Preset.load(small_preset("rainbow"))
    assert preset.algorithm('{"n_step": 2}', "clipped_ppo") == "rainbow"
    assert preset.algorithm(None, "rainbow") == "rainbow"
    with pytest.raises(UserError, match="makes rainbow, the run's algorithm is dqn"):
        preset.algorithm(None, "dqn")
    deepracers = '{"action_space": [{"steering_angle": 0, "speed": 1}, {"steering_angle": 9, "speed": 1}], '
    text = deepracers + '"training_algorithm": "clipped_ppo"}'
    assert ModelMetadata.parse(text, "rainbow", by_preset=True).algorithm == "rainbow"
    with pytest.raises(UserError, match="rainbow with a continuous action_space: it takes discrete actions only"):
        ModelMetadata.parse(CONTINUOUS, "rainbow", by_preset=True)


def test_other_agents_are_refused_with_the_list():
    source = small_preset("dqn").replace("dqn_agent import DQNAgent", "mmc_agent import MixedMonteCarloAgent")
    source = source.replace("= DQNAgentParameters", "= MixedMonteCarloAgentParameters")
    with pytest.raises(UserError, match="does not train rl_coach's MixedMonteCarloAgent") as caught:
        Preset.load(source).algorithm(None)
    assert all(path.partition(":")[2] in caught.value.remedy for path in NAMES)


@pytest.mark.parametrize("algorithm", sorted(set(ALGORITHMS) - {"clipped_ppo", "sac", "dqn"}))
def test_an_algorithm_without_a_preset_says_that_it_needs_one(algorithm):
    from kuberacer.coach.build import build_agent

    with pytest.raises(UserError, match=f"{algorithm} is trained with a preset only"):
        build_agent(NO_METADATA(algorithm), Hyperparameters.parse(None, algorithm), cars=1)


CATEGORICAL, E_GREEDY, ADDITIVE, NOISY, BOLTZMANN = (
    "CategoricalParameters()", "EGreedyParameters()", "AdditiveNoiseParameters()",
    "ParameterNoiseParameters(agent_params)", "BoltzmannParameters()",
)  # fmt: skip
EXPLORE = (
    "from rl_coach.exploration_policies.boltzmann import BoltzmannParameters\n"
    "from rl_coach.exploration_policies.categorical import CategoricalParameters\n"
    "from rl_coach.exploration_policies.e_greedy import EGreedyParameters\n"
    "from rl_coach.exploration_policies.parameter_noise import ParameterNoiseParameters\n"
    "agent_params.exploration = "
)
TAKEN = {  # (algorithm, continuous): explorations
    ("clipped_ppo", False): [CATEGORICAL, E_GREEDY],
    ("clipped_ppo", True): [ADDITIVE],
    ("dqn", False): [E_GREEDY, NOISY],
    ("ddqn", False): [E_GREEDY, NOISY],
    ("categorical_dqn", False): [E_GREEDY, NOISY],
    ("qr_dqn", False): [E_GREEDY, NOISY],
    ("rainbow", False): [E_GREEDY, NOISY],
    ("sac", True): [ADDITIVE],
    ("td3", True): [ADDITIVE],
    ("ddpg", True): [ADDITIVE],
}


@pytest.mark.parametrize(("algorithm", "continuous"), TAKEN, ids=lambda value: str(value))
def test_which_exploration_an_algorithm_takes(algorithm, continuous):
    """In whole: what is not listed is refused, with what to use instead."""
    metadata = CONTINUOUS if continuous else None
    for kind in (CATEGORICAL, E_GREEDY, ADDITIVE, NOISY, BOLTZMANN):
        if kind == NOISY and not TAKEN[algorithm, continuous].count(NOISY):
            continue  # rl_coach refuses it by itself
        made = manager(small_preset(algorithm, EXPLORE + kind), algorithm, metadata=metadata)
        if kind in TAKEN[algorithm, continuous]:
            check(made.agent_params.exploration, algorithm, continuous)
        else:
            with pytest.raises(UserError, match="does not explore with") as caught:
                check(made.agent_params.exploration, algorithm, continuous)
            assert TAKEN[algorithm, continuous][0].partition("(")[0] in caught.value.remedy


@pytest.mark.parametrize("loss", ["huber", "mean squared error"])
@pytest.mark.parametrize("algorithm", ["clipped_ppo", "sac", "dqn"])
def test_the_loss_by_hyperparameter_and_by_preset(algorithm, loss):
    hyper = Hyperparameters.parse(f'{{"loss_type": "{loss}"}}', algorithm)
    made = graph_manager(NO_METADATA(algorithm), hyper)
    example = Path(__file__).parents[3] / "presets" / f"{algorithm}.py"
    by_preset = manager(example.read_text(), algorithm, f'{{"loss_type": "{loss}"}}')
    for given in (made, by_preset):
        networks = given.agent_params.network_wrappers.values()
        assert all(network.replace_mse_with_huber_loss == (loss == "huber") for network in networks)


COMBINATIONS = [
    (algorithm, continuous, kind, huber)
    for (algorithm, continuous), kinds in TAKEN.items()
    for place, kind in enumerate(kinds)
    for huber in ((True, False) if algorithm in ("clipped_ppo", "dqn") else (place == 0,))
]


@pytest.mark.parametrize(("algorithm", "continuous", "kind", "huber"), COMBINATIONS, ids=str)
def test_each_combination_trains(make_agent, algorithm, continuous, kind, huber):
    more = (
        f"{EXPLORE}{kind}\nfor network in agent_params.network_wrappers.values():\n"
        f"    network.replace_mse_with_huber_loss = {huber}\n"
    )
    if algorithm != "clipped_ppo":
        more += "agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(32)\n"
        more += "agent_params.algorithm.num_consecutive_training_steps = 2\n"
    metadata = CONTINUOUS.replace('"clipped_ppo"', f'"{algorithm}"') if continuous else None
    hyper = '{"rollout_steps": 32, "batch_size": 32}' if algorithm == "clipped_ppo" else SMALL
    agent = make_agent(algorithm, metadata=metadata, hyper=hyper, more=more)
    seen = play(agent, np.random.default_rng(0), 12)
    assert len(seen) == 12
    before = agent.coach.session.run(agent._policy_network().weights)
    stats = agent.learn(np.zeros((4, *agent.inputs[0].shape), np.uint8))
    assert all(np.isfinite(value) for value in stats.values())
    after = agent.coach.session.run(agent._policy_network().weights)
    assert any((a != b).any() for a, b in zip(before, after, strict=True))
