"""The Gymnasium environments: Gymnasium's own checkers, autoreset, seeds."""

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from kuberacer.sim.race_env import RaceEnv
from kuberacer.sim.race_sim import SimConfig
from kuberacer.sim.race_vector_env import RaceVectorEnv, follow_center_line
from sim.roads import oval

CONTINUOUS = {"steering_angle": {"low": -30.0, "high": 30.0}, "speed": {"low": 0.5, "high": 2.0}}
SHORT = SimConfig(max_steps=12)


@pytest.mark.parametrize("actions", [None, CONTINUOUS])
@pytest.mark.filterwarnings("ignore:.*symmetric and normalized space")
def test_gymnasium_s_environment_checker(actions):
    more = {"actions": actions} if actions else {}
    env = gymnasium.make("kuberacer.sim.race_env:KubeRacer/Race-v0", track=oval(), render_mode="rgb_array", **more)
    check_env(env.unwrapped)
    env.reset(seed=0)
    picture = env.render()
    assert picture.ndim == 3
    assert picture.dtype == np.uint8


def test_made_by_name_as_a_vector():
    env = gymnasium.make_vec("kuberacer.sim.race_env:KubeRacer/Race-v0", num_envs=3, track=oval())
    assert isinstance(env.unwrapped, RaceVectorEnv)
    env = gymnasium.wrappers.vector.RecordEpisodeStatistics(env)
    env.reset(seed=0)
    env.action_space.seed(0)
    for _ in range(120):
        observations, *_, infos = env.step(env.action_space.sample())
        assert observations in env.observation_space
        if "episode" in infos:
            return
    pytest.fail("no episode ended")


@pytest.mark.parametrize("actions", [None, CONTINUOUS])
@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_vector_env_behaves_as_gymnasium_s_own(mode, actions):
    """Frame by frame as Gymnasium's SyncVectorEnv over single environments, with the same autoreset."""
    more = {"actions": actions} if actions else {}
    ours = RaceVectorEnv(oval(), 1, config=SHORT, autoreset_mode=mode, **more)
    theirs = SyncVectorEnv([lambda: RaceEnv(oval(), config=SHORT, **more)], autoreset_mode=mode)
    assert ours.observation_space == theirs.observation_space
    assert ours.action_space == theirs.action_space
    assert ours.metadata["autoreset_mode"] == theirs.metadata["autoreset_mode"]
    ours.action_space.seed(0)
    assert np.array_equal(ours.reset(seed=5)[0], theirs.reset(seed=5)[0])
    for _ in range(60):
        actions = ours.action_space.sample()
        (*ours_arrays, our_infos), (*their_arrays, their_infos) = ours.step(actions), theirs.step(actions)
        for our_array, their_array in zip(ours_arrays, their_arrays, strict=True):
            assert our_array.dtype == their_array.dtype
            assert np.array_equal(our_array, their_array)
        assert ("final_obs" in our_infos) == ("final_obs" in their_infos)
        if "final_obs" in our_infos:
            assert np.array_equal(our_infos["final_obs"][0], their_infos["final_obs"][0])
            assert np.array_equal(our_infos["_final_obs"], their_infos["_final_obs"])


def test_disabled_autoreset_and_reset_mask():
    env = RaceVectorEnv(oval(), 3, config=SHORT, autoreset_mode=AutoresetMode.DISABLED)
    env.reset(seed=0)
    straight_on = np.full(3, 2)
    while not (ended := np.any(env.step(straight_on)[2:4], axis=0)).any():
        pass
    steps = env.sim.values.steps.copy()
    env.reset(options={"reset_mask": ended})
    assert np.array_equal(env.sim.values.steps, np.where(ended, 0, steps))


def test_seeds():
    env = RaceVectorEnv(oval(), 2, config=SimConfig(randomization=True))
    first, _ = env.reset(seed=1)
    assert np.array_equal(first, env.reset(seed=1)[0])
    assert not np.array_equal(first, env.reset(seed=2)[0])
    listed, _ = env.reset(seed=[1, 2])
    assert np.array_equal(listed, env.reset(seed=[1, 2])[0])
    assert not np.array_equal(listed, env.reset()[0])
    unseeded = [RaceVectorEnv(oval(), 1, config=SimConfig(randomization=True)).reset()[0] for _ in range(2)]
    assert not np.array_equal(*unseeded)


def test_observations_are_the_caller_s_unless_shared():
    env = RaceVectorEnv(oval(), 1)
    before, _ = env.reset(seed=0)
    kept = before.copy()
    for _ in range(5):
        env.step(np.array([4]))
    assert np.array_equal(before, kept)
    shared = RaceVectorEnv(oval(), 1, copy=False)
    assert np.shares_memory(shared.reset(seed=0)[0], shared.sim.frames)


def test_own_reward_sees_the_parameters():
    env = RaceVectorEnv(oval(), 2, reward=lambda values: values.speed * 10.0)
    env.reset(seed=0)
    assert env.step(np.array([2, 7]))[1].tolist() == [10.0, 20.0]


def test_default_reward_falls_from_the_centre_to_the_border():
    env = RaceVectorEnv(oval(width=0.8), 5)
    env.reset(seed=0)
    x = 4.0 + np.array([0.0, 0.15, 0.3, 0.45, 0.9])
    env.sim.place(x, np.zeros(5), np.full(5, 90.0))
    assert follow_center_line(env.sim.values).tolist() == [1.0, 0.5, 0.1, 1e-3, 1e-3]
