import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.coach.ppo import advantages
from kuberacer.errors import UserError
from tests.unit.coach.presets import CONTINUOUS


def play(agent, rng, steps, ended=0.02, cut=0.0):
    """Random frames and rewards, the same for the same generator; returns the actions taken."""
    taken = []
    for _ in range(steps):
        frames = rng.integers(0, 256, (agent.cars, *agent.inputs[0].shape), dtype=np.uint8)
        taken.append(agent.act(frames))
        truncated = rng.random(agent.cars) < cut
        agent.observe(rng.random(agent.cars), rng.random(agent.cars) < ended, truncated, frames)
    return np.array(taken)


def test_advantages_equal_rl_coachs(make_agent):
    """On finished episodes, which are all that rl_coach trains on."""
    from rl_coach.core_types import Batch, Transition

    agent = make_agent("clipped_ppo", cars=3)
    rng = np.random.default_rng(0)
    play(agent, rng, 40, ended=0.1)
    played = agent._played
    agent._store(np.zeros(3), np.ones(3, bool), np.zeros(3, bool), None)  # every episode ends in the last step
    agent._played.time -= 1
    played["terminated"][-1] = True
    values, following = agent._value_arrays(rng.integers(0, 256, (3, *agent.inputs[0].shape), dtype=np.uint8))
    algorithm = agent.coach.parameters.algorithm
    found, targets = advantages(
        played["rewards"], values, following, played["terminated"], algorithm.discount, algorithm.gae_lambda
    )
    transitions = [
        Transition(
            state={agent.metadata.camera: played[agent.metadata.camera][t, car]},
            next_state={agent.metadata.camera: played[agent.metadata.camera][t, car]},
            action=0,
            reward=float(played["rewards"][t, car]),
            game_over=bool(played["terminated"][t, car]),
        )
        for car in range(3)
        for t in range(played.time)
    ]
    for transition in transitions:
        transition.n_step_discounted_rewards = 0.0
    agent.coach.agent.fill_advantages(Batch(transitions))
    standardised = (found - found.mean()) / found.std()
    theirs = np.array([t.info["advantage"] for t in transitions]).reshape(3, -1).T
    their_targets = np.array([t.info["gae_based_value_target"] for t in transitions]).reshape(3, -1).T
    np.testing.assert_allclose(standardised, theirs, atol=1e-5)
    np.testing.assert_allclose(targets, their_targets, atol=1e-5)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), gae_lambda=st.sampled_from([0.0, 0.5, 0.95, 1.0]))
def test_advantages_by_the_definition(seed, gae_lambda):
    rng = np.random.default_rng(seed)
    steps, cars, discount = 12, 2, 0.9
    rewards, values, following = (rng.normal(size=(steps, cars)) for _ in range(3))
    ended = rng.random((steps, cars)) < 0.2
    found, targets = advantages(rewards, values, following, ended, discount, gae_lambda)
    for car in range(cars):
        for t in range(steps):
            wanted, weight = 0.0, 1.0
            for later in range(t, steps):
                wanted += weight * (rewards[later, car] + discount * following[later, car] - values[later, car])
                weight *= discount * gae_lambda
                if ended[later, car]:
                    break
            assert found[t, car] == pytest.approx(wanted)
    np.testing.assert_allclose(targets, found + values)


def test_a_cut_trajectory_is_bootstrapped_from_its_last_frame(make_agent):
    agent = make_agent("clipped_ppo", cars=2)
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 256, (2, *agent.inputs[0].shape), dtype=np.uint8) for _ in range(4)]
    agent.act(frames[0])
    agent.observe(np.zeros(2), np.array([False, True]), np.array([True, True]), frames[2])
    agent.act(frames[1])
    agent.observe(np.zeros(2), np.zeros(2, bool), np.zeros(2, bool))
    _, following = agent._value_arrays(frames[3])
    value_of = agent._values
    np.testing.assert_allclose(following[0], [value_of(frames[2][:1])[0], 0], rtol=1e-5)  # cut; terminal
    np.testing.assert_allclose(following[1], value_of(frames[3]), rtol=1e-5)  # still open


def test_rollout_steps_or_episodes_complete_an_iteration(make_agent):
    agent = make_agent("clipped_ppo", preset=None, hyper='{"rollout_steps": 64}')
    rng = np.random.default_rng(0)
    play(agent, rng, 15)
    assert not agent.iteration_complete()
    play(agent, rng, 1)
    assert agent.iteration_complete()


def test_episodes_complete_an_iteration_when_given(make_agent):
    more = "agent_params.algorithm.num_consecutive_playing_steps = EnvironmentEpisodes(3)"
    agent = make_agent("clipped_ppo", more=more)
    rng = np.random.default_rng(0)
    play(agent, rng, 20, ended=0)
    assert not agent.iteration_complete()
    play(agent, rng, 1, ended=1)
    assert agent.iteration_complete()
    assert agent.total_episodes == 4


def test_it_learns_which_action_pays(make_agent):
    more = "agent_params.algorithm.num_consecutive_playing_steps = EnvironmentSteps(256)"
    agent = make_agent("clipped_ppo", cars=16, more=more)
    frames = np.random.default_rng(0).integers(0, 256, (16, *agent.inputs[0].shape), dtype=np.uint8)
    paid = []
    for _ in range(8):
        rewards = []
        while not agent.iteration_complete():
            rewards.append((agent.act(frames) == 3).astype(float))
            agent.observe(rewards[-1], np.ones(16, bool), np.zeros(16, bool))
        stats = agent.learn(frames)
        paid.append(np.mean(rewards))
    assert paid[-1] > paid[0] + 0.3
    assert stats["samples"] == 256
    assert agent.iteration == 8
    assert agent.total_steps == 8 * 256


def test_best_actions_change_nothing(make_agent):
    agent = make_agent("clipped_ppo", metadata=CONTINUOUS)
    frames = np.random.default_rng(0).integers(0, 256, (700, *agent.inputs[0].shape), dtype=np.uint8)
    before = agent.state()
    actions = agent.best_actions(frames)
    assert actions.shape == (700, 2)
    np.testing.assert_allclose(agent.best_actions(frames[:3]), actions[:3], rtol=1e-4, atol=1e-6)
    assert agent.state() == before


@pytest.mark.parametrize("metadata", [None, CONTINUOUS], ids=["discrete", "continuous"])
def test_a_restored_agent_goes_on_as_if_nothing_had_happened(make_agent, tmp_path, metadata):
    first = make_agent("clipped_ppo", metadata=metadata)
    rng = np.random.default_rng(0)
    next_frames = rng.integers(0, 256, (4, *first.inputs[0].shape), dtype=np.uint8)
    play(first, rng, 20, cut=0.05)
    first.learn(next_frames)
    first.save(tmp_path)
    again = make_agent("clipped_ppo", metadata=metadata, seed=77)
    again.restore(tmp_path)
    assert again.state() == first.state()
    one, two = (play(agent, np.random.default_rng(5), 20, cut=0.05) for agent in (first, again))
    np.testing.assert_array_equal(one, two)
    one, two = (agent.learn(next_frames) for agent in (first, again))
    one.pop("seconds"), two.pop("seconds")
    assert one == two
    for a, b in zip(*(agent.coach.session.run(agent.coach.saved_variables) for agent in (first, again)), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_loss_that_is_not_finite_names_iteration_and_hyperparameters(make_agent):
    agent = make_agent("clipped_ppo")
    rng = np.random.default_rng(0)
    play(agent, rng, 20)
    agent._played["rewards"][3] = np.nan
    with pytest.raises(UserError, match=r"iteration 1: .*loss.* not a finite number") as caught:
        agent.learn(np.zeros((4, *agent.inputs[0].shape), np.uint8))
    assert "lr" in caught.value.remedy
    assert "batch_size" in caught.value.remedy


def test_weights_that_are_not_finite_are_never_kept(make_agent):
    one_step = "agent_params.algorithm.optimization_epochs = 1\nnetwork.batch_size = 80\n"
    agent = make_agent("clipped_ppo", more=one_step)
    play(agent, np.random.default_rng(0), 20)
    momentum = next(v for v in agent.coach.saved_variables if v.op.name.endswith("kernel/Adam"))
    # It spoils the weights, after the loss of the only step.
    agent.coach.session.run(momentum.assign(np.full(momentum.shape, np.nan)))
    with pytest.raises(UserError, match="iteration 1: a weight is not a finite number; the last checkpoint is good"):
        agent.learn(np.zeros((4, *agent.inputs[0].shape), np.uint8))
    assert agent.iteration == 0
