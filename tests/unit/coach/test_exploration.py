import numpy as np
import pytest
from rl_coach.core_types import RunPhase
from rl_coach.exploration_policies.additive_noise import AdditiveNoise
from rl_coach.exploration_policies.boltzmann import BoltzmannParameters
from rl_coach.exploration_policies.categorical import Categorical
from rl_coach.exploration_policies.e_greedy import EGreedy
from rl_coach.schedules import LinearSchedule
from rl_coach.spaces import BoxActionSpace, DiscreteActionSpace

from kuberacer.coach.exploration import Exploration, additive_noise, categorical, check, e_greedy
from kuberacer.errors import UserError


def training(policy):
    policy.change_phase(RunPhase.TRAIN)
    return policy


def test_categorical_makes_rl_coachs_choice_of_the_same_uniform_number():
    policy = training(Categorical(DiscreteActionSpace(5)))
    probabilities = np.random.default_rng(0).dirichlet(np.ones(5), 500).astype(np.float32)
    np.random.seed(3)
    theirs = [policy.get_action(row / row.astype(np.float64).sum())[0] for row in probabilities]
    ours = categorical(probabilities, np.random.RandomState(3).random_sample(500))
    np.testing.assert_array_equal(ours, theirs)


def test_additive_noise_makes_rl_coachs_choice_of_the_same_normal_numbers():
    policy = training(AdditiveNoise(BoxActionSpace(2, -1, 1), LinearSchedule(0.1, 0.1, 10), 0.05))
    rng = np.random.default_rng(0)
    mean, deviation = rng.normal(size=(50, 2)).astype(np.float32), rng.uniform(0.1, 1, (50, 2)).astype(np.float32)
    np.random.seed(3)
    theirs = [policy.get_action([m, s]) for m, s in zip(mean, deviation, strict=True)]
    ours = additive_noise(mean, deviation, np.random.RandomState(3).standard_normal((50, 2)))
    np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_additive_noise_without_a_deviation_is_a_share_of_the_action_space():
    policy = training(AdditiveNoise(BoxActionSpace(2, -1, 1), LinearSchedule(0.2, 0.2, 10), 0.05))
    actions = Exploration(policy, 2, np.random.default_rng(0)).choose(np.zeros((4000, 2), np.float32))
    np.testing.assert_allclose(actions.std(axis=0), 0.4, rtol=0.05)


def test_e_greedy_by_given_numbers():
    values = np.array([[1.0, 2, 0], [1, 2, 0], [5, 2, 0]])
    chosen = e_greedy(values, np.full(3, 0.3), np.array([0.29, 0.3, 0.9]), np.array([2, 2, 2]))
    np.testing.assert_array_equal(chosen, [2, 1, 0])


def test_e_greedy_is_distributed_as_rl_coachs():
    def policy():
        return training(EGreedy(DiscreteActionSpace(4), LinearSchedule(1.0, 0.1, 3000), 0.05))

    values = np.array([0.0, 3, 1, 2])
    theirs, count = policy(), 6000
    np.random.seed(0)
    wanted = np.bincount([theirs.get_action(values)[0] for _ in range(count)], minlength=4) / count
    exploration = Exploration(policy(), 4, np.random.default_rng(0))
    found = np.bincount(
        np.concatenate([exploration.choose(np.tile(values, (30, 1))) for _ in range(count // 30)]), minlength=4
    )
    np.testing.assert_allclose(found / count, wanted, atol=0.03)


def test_a_schedule_takes_one_step_a_car_and_can_be_resumed():
    def exploration():
        return Exploration(
            EGreedy(DiscreteActionSpace(4), LinearSchedule(1.0, 0.1, 1000), 0.05), 4, np.random.default_rng(0)
        )

    played, resumed = exploration(), exploration()
    for _ in range(5):
        played.choose(np.zeros((7, 4)))
    assert played.steps == 35
    resumed.skip_to(35)
    assert resumed._policy.epsilon_schedule.current_value == played._policy.epsilon_schedule.current_value < 1


def test_another_policy_is_an_error_that_names_it():
    with pytest.raises(UserError, match="dqn with discrete actions does not explore with Boltzmann") as caught:
        check(BoltzmannParameters(), "dqn", continuous=False)
    assert caught.value.remedy == "use EGreedyParameters or ParameterNoiseParameters"
