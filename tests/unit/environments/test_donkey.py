"""The donkey car as an environment: its reward, its ends, its info, alone and in company, with a user's own reward."""

import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from kuberacer.environments.donkey import DonkeyCar
from kuberacer.environments.donkey_reward import CteReward, reward_cte, simulators_own
from kuberacer.environments.loader import Environments
from kuberacer.errors import UserError

KEYS = {"x", "y", "z", "speed", "cte", "hit", "throttle", "steering"}


def drive(cars, steering: float, steps: int):
    """What came of each step, until all cars have ended."""
    cars.reset(seed=3)
    rows = []
    for _ in range(steps):
        rows.append(cars.step(np.full((cars.num_envs, 1), steering, np.float32)))
        if (rows[-1][2] | rows[-1][3]).all():
            break
    return rows


def test_the_reward_is_the_seeds_parabola():
    assert reward_cte(0.0, 5, 6.0) == 5
    assert reward_cte(-3.0, 5, 6.0) == reward_cte(3.0, 5, 6.0) == pytest.approx(3.75)
    assert reward_cte(6.0, 5, 6.0) == 0
    reward = CteReward(5, -200, 6.0)
    assert reward(0.0, True, {"cte": 0.0}) == -200
    assert reward(np.zeros(2), np.array([False, True]), {"cte": np.array([3.0, 7.0])}).tolist() == [3.75, -200.0]


def test_what_the_simulator_itself_gives():
    cte, speed, hit = np.array([0.0, 3.0, -3.0, 7.0, 0.0]), np.full(5, 2.0), np.array(["none"] * 4 + ["cone"])
    given = simulators_own(cte, speed, hit, np.zeros(5, bool), 6.0)
    assert given.tolist() == [1.0, 0.0, 2.0, -1.0, -2.0]
    assert simulators_own(cte, speed, hit, np.ones(5, bool), 6.0).tolist() == [-1.0] * 5


def test_gymnasiums_own_checks_pass():
    check_env(DonkeyCar(render_mode="rgb_array"), skip_render_check=True)


def test_an_episode_ends_off_the_road_with_the_penalty():
    env = DonkeyCar()
    rows = drive(env.cars, 1.0, 200)
    ctes = [abs(row[4]["cte"][0]) for row in rows]
    assert max(ctes[:-1]) <= 6.0 < ctes[-1]
    assert [row[2][0] for row in rows] == [False] * (len(rows) - 1) + [True]
    assert rows[-1][1][0] == -200
    for row, cte in zip(rows[:-1], ctes[:-1], strict=True):
        assert row[1][0] == pytest.approx(5 * (1 - (cte / 6) ** 2))
    assert not any(row[3][0] for row in rows)


def test_an_episode_is_cut_after_its_steps_and_not_as_a_crash():
    cars = DonkeyCar.vector_env(2, max_episode_steps=7, throttle=0.05)
    rows = drive(cars, 0.0, 20)
    assert len(rows) == 7
    assert rows[-1][3].all()
    assert not rows[-1][2].any()
    assert (rows[-1][1] > 4).all()
    cars.reset(options={"reset_mask": np.array([True, False])})
    _, _, _, truncated, _ = cars.step(np.zeros((2, 1), np.float32))
    assert truncated.tolist() == [False, True]


def test_info_is_gym_donkeycars():
    env = DonkeyCar(throttle=0.2)
    _, info = env.reset(seed=1)
    assert set(info) == KEYS
    _, _, _, _, info = env.step(np.array([0.25], np.float32))
    assert set(info) == KEYS
    assert (info["throttle"], info["steering"], info["hit"], info["y"]) == (0.2, 0.25, "none", 0.0)
    assert all(isinstance(info[key], float) for key in KEYS - {"hit"})


def test_one_car_is_the_first_of_many_with_its_seed():
    many, one = DonkeyCar.vector_env(3), DonkeyCar()
    seen, _ = many.reset(seed=20)
    assert np.array_equal(one.reset(seed=22)[0], seen[2])
    for steering in (0.3, -0.2, 0.7):
        frames, rewards, *_ = many.step(np.full((3, 1), steering, np.float32))
        frame, reward, *_ = one.step(np.array([steering], np.float32))
        assert np.array_equal(frame, frames[2])
        assert reward == rewards[2]


OWN = """
from kuberacer.environments.donkey import DonkeyCar


class Right(DonkeyCar):
    @classmethod
    def build_reward_fn(cls, scale_cte_reward, crash_reward, max_cte):
        def reward(reward, done, info):
            assert type(info["cte"]) is float and type(done) is bool and type(info["hit"]) is str
            return crash_reward if done else info["cte"] * scale_cte_reward

        return reward
"""


def test_a_users_own_reward_in_an_environment_of_his_own():
    environments = Environments("own_environment:Right", OWN, {"scale_cte_reward": 2.0})
    cars = environments.vector(3)
    rows = drive(cars, 1.0, 200)
    for _, rewards, done, _, infos in rows[:5]:
        assert rewards == pytest.approx(np.where(done, -200.0, 2 * infos["cte"]))
    assert rows[-1][1][rows[-1][2]] == pytest.approx(-200.0)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [({"throttle": 2.0}, "throttle is 2"), ({"max_cte": 0.0}, "max_cte is 0"), ({"speed": 1}, "speed")],
)
def test_parameters_that_make_no_sense_are_named(parameters, said):
    with pytest.raises(UserError, match=said):
        Environments("donkey_car", "", parameters).vector(1)
