"""SAC and DQN: playing, learning, rhythm, resuming."""

import numpy as np
import pytest
from scipy.stats import norm

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sac import gaussian_divergence
from tests.unit.coach.test_ppo import play

HYPER = '{"rollout_steps": 32, "updates_per_iteration": 5, "heatup_steps": 64, "replay_size": 1000}'


@pytest.fixture(params=["sac", "dqn"])
def agent(request, make_agent):
    more = (
        "agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(32)\n"
        "agent_params.algorithm.num_consecutive_training_steps = 5"
    )
    return make_agent(request.param, hyper=HYPER, more=more)


def test_it_plays_randomly_first_and_then_learns(agent):
    rng = np.random.default_rng(0)
    play(agent, rng, 16)
    assert not agent.iteration_complete()  # the newest step cannot be sampled yet
    play(agent, rng, 1)
    assert agent.iteration_complete()
    weights = agent.coach.session.run(agent._policy_network().weights)
    stats = agent.learn(np.zeros((4, *agent.inputs[0].shape), np.uint8))
    assert stats["updates"] == 5
    if agent.metadata.algorithm == "sac":
        assert stats["kl"] > 0  # the policy moved, and it is measured on both sides of the update
    else:
        assert 0 <= stats["epsilon"] <= 1
        assert not {"kl", "entropy"} & set(stats)  # a greedy policy of values has neither
    assert all(np.isfinite(value) for value in stats.values())
    changed = agent.coach.session.run(agent._policy_network().weights)
    assert any((a != b).any() for a, b in zip(weights, changed, strict=True))
    assert not agent.iteration_complete()
    play(agent, rng, 8)
    assert agent.iteration_complete()


def test_the_divergence_of_two_gaussians():
    rng = np.random.default_rng(0)
    mean, log_deviation, new_mean, new_log_deviation = rng.normal(0, 0.3, (4, 1, 2)).astype(np.float32)
    assert gaussian_divergence(mean, log_deviation, mean, log_deviation) == 0
    drawn = rng.normal(mean, np.exp(log_deviation), (200_000, 2))
    old = norm.logpdf(drawn, mean, np.exp(log_deviation)).sum(axis=1)
    new = norm.logpdf(drawn, new_mean, np.exp(new_log_deviation)).sum(axis=1)
    assert gaussian_divergence(mean, log_deviation, new_mean, new_log_deviation) == pytest.approx(
        (old - new).mean(), rel=0.03
    )


def test_actions_fit_the_metadata(agent):
    rng = np.random.default_rng(0)
    for actions in play(agent, rng, 20):
        steering, speed = agent.metadata.decode(actions)
        assert steering.shape == speed.shape == (4,)
        assert (np.abs(steering) <= 30).all()
    assert agent.best_actions(np.zeros((7, *agent.inputs[0].shape), np.uint8)).shape[0] == 7


def test_it_resumes_with_an_empty_memory_and_its_own_policy(agent, make_agent, tmp_path):
    rng = np.random.default_rng(0)
    play(agent, rng, 17)
    agent.learn(np.zeros((4, *agent.inputs[0].shape), np.uint8))
    agent.save(tmp_path)
    again = make_agent(agent.metadata.algorithm, hyper=HYPER, seed=9)
    again.restore(tmp_path)
    frames = rng.integers(0, 256, (4, *agent.inputs[0].shape), dtype=np.uint8)
    np.testing.assert_array_equal(again.best_actions(frames), agent.best_actions(frames))
    np.testing.assert_array_equal(again.act(frames), agent.act(frames))
    assert again.memory.steps == 0
    assert not again.iteration_complete()


@pytest.mark.parametrize(
    ("lines", "rhythm", "updates"),
    [
        ("", 512, 128),  # rl_coach's 4 steps, 1 update, in a portion of 512 steps
        ("algorithm.num_consecutive_playing_steps = EnvironmentEpisodes(20)", 20, 128),  # DeepRacer's DQN preset
        (
            "algorithm.num_consecutive_playing_steps = EnvironmentEpisodes(20)\n"
            "algorithm.num_consecutive_training_steps = 50",
            20,
            50,
        ),
    ],
)
def test_the_rhythm_of_a_preset(make_agent, lines, rhythm, updates):
    agent = make_agent("dqn", more="algorithm = agent_params.algorithm\n" + lines)
    assert (agent._rhythm, agent._updates_per_iteration) == (rhythm, updates)


@pytest.mark.parametrize(
    ("interval", "copies"), [("EnvironmentSteps(64)", 1), ("EnvironmentEpisodes(30)", 1), ("TrainingSteps(2)", 2)]
)
def test_the_target_network_is_copied_when_due(make_agent, interval, copies):
    more = (
        "from rl_coach.core_types import TrainingSteps\n"
        f"agent_params.algorithm.num_steps_between_copying_online_weights_to_target = {interval}\n"
        "agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(32)\n"
        "agent_params.algorithm.num_consecutive_training_steps = 5"
    )
    agent = make_agent("dqn", hyper=HYPER, more=more)
    play(agent, np.random.default_rng(0), 17, ended=0.5)
    made = []
    copy, agent._copy = agent._copy, lambda: made.append(copy())
    agent.learn(np.zeros((4, *agent.inputs[0].shape), np.uint8))
    assert len(made) == copies


def test_dqn_learns_which_action_pays(make_agent):
    more = (
        "agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(64)\n"
        "agent_params.algorithm.num_consecutive_training_steps = 40"
    )
    hyper = '{"rollout_steps": 64, "heatup_steps": 128, "epsilon_steps": 300}'
    agent = make_agent("dqn", cars=16, hyper=hyper, more=more)
    frames = np.random.default_rng(0).integers(0, 256, (16, *agent.inputs[0].shape), dtype=np.uint8)
    for _ in range(6):
        while not agent.iteration_complete():
            agent.observe((agent.act(frames) == 3).astype(float), np.ones(16, bool), np.zeros(16, bool))
        agent.learn(frames)
    assert (agent.best_actions(frames) == 3).all()


def test_sac_learns_where_to_steer(make_agent):
    more = (
        "agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(64)\n"
        "agent_params.algorithm.num_consecutive_training_steps = 60\n"
        "from rl_coach.filters.filter import InputFilter\n"
        "from rl_coach.filters.reward.reward_rescale_filter import RewardRescaleFilter\n"
        "agent_params.input_filter = InputFilter()\n"
        "agent_params.input_filter.add_reward_filter('scale', RewardRescaleFilter(20))"
    )
    agent = make_agent("sac", cars=16, hyper='{"rollout_steps": 64, "heatup_steps": 256}', more=more)
    frames = np.random.default_rng(0).integers(0, 256, (16, *agent.inputs[0].shape), dtype=np.uint8)
    for _ in range(6):
        while not agent.iteration_complete():
            steering = agent.act(frames)[:, 0]
            agent.observe(-np.abs(steering - 0.5), np.ones(16, bool), np.zeros(16, bool))
        agent.learn(frames)
    assert np.abs(agent.best_actions(frames)[:, 0] - 0.5).mean() < 0.2


def test_sacs_default_scales_the_reward_by_alpha(make_agent):
    agent = make_agent("sac", preset=None, hyper='{"sac_alpha": 0.25, "replay_size": 1000}')
    (reward_filter,) = agent.coach.agent.input_filter.reward_filters.values()
    assert reward_filter.filter(1.0) == 4
    assert ModelMetadata.default("sac").continuous
