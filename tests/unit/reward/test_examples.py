"""The example rewards: what each is for shows in its numbers, and each runs alone."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kuberacer.reward.runner import RewardRunner
from kuberacer.reward.samples import Lane, drive_lap
from kuberacer.reward.source import RewardSource
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.track import load_track

REWARDS = Path(__file__).parents[3] / "rewards"
TRACK = load_track("hairpin")
LANES = [Lane(across) for across in (-1.3, -0.7, -0.4, 0.0, 0.4, 0.7, 1.3)]


def laps(name: str, lanes=LANES, change=lambda values: None, with_objects: bool = False) -> np.ndarray:
    """Rewards (rows, lanes) of one lap, the finish left out."""
    objects = 4 if with_objects else 0
    source = RewardSource.check((REWARDS / f"{name}.py").read_text(), name)
    run = RewardRunner(source, TRACK, len(lanes), objects)
    rewards = []
    for _, values in drive_lap(TRACK, lanes, 60, objects=objects):
        change(values)
        rewards.append(run(values))
    return np.array(rewards[:-1])


@pytest.mark.parametrize("path", sorted(REWARDS.glob("*.py")), ids=lambda path: path.stem)
def test_runs_alone(path):
    ended = subprocess.run([sys.executable, str(path)], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert len(ended.stdout.splitlines()) >= 4
    assert path.read_text().startswith('"""')


def test_the_readme_lists_all():
    names = {path.stem for path in REWARDS.glob("*.py")}
    assert names == set(re.findall(r"\]\((\w+)\.py\)", (REWARDS / "README.md").read_text()))


@pytest.mark.parametrize(
    "name", ["follow_center_line", "stay_inside_borders", "prevent_zig_zag", "avoid_objects", "head_to_bot"]
)
def test_the_road_pays_and_faster_pays_more(name):
    rewards = laps(name)
    assert np.all(rewards[:, [0, -1]] <= 0.01)
    assert np.all(rewards[:, 2:5] > 0.3)

    def faster(values):
        values.speed[:] = 2.0

    assert np.all(laps(name, change=faster)[:, 2:5] > 1.5 * rewards[:, 2:5])


def test_follow_center_line():
    rewards = laps("follow_center_line")
    assert np.all(np.diff(rewards[:, :4], axis=1) > 0)
    assert np.all(np.diff(rewards[:, 3:], axis=1) < 0)
    np.testing.assert_allclose(rewards[:, 2], rewards[:, 4], rtol=1e-6)


def test_follow_center_line_pays_for_a_finished_lap():
    source = RewardSource.check((REWARDS / "follow_center_line.py").read_text())
    run = RewardRunner(source, TRACK, 1)
    *_, before, last = [run(values).item() for _, values in drive_lap(TRACK, [Lane(0.0)], 60)]
    assert last > before + 5


def test_stay_inside_borders_does_not_care_where():
    rewards = laps("stay_inside_borders")
    assert np.all(rewards[:, 2:5] == rewards[0, 3])
    assert np.all(rewards[:, [1, 5]] < rewards[:, [2, 4]])


def test_prevent_zig_zag():
    straight = laps("prevent_zig_zag", [Lane(0.0)])

    def swing(values):
        values.steering_angle[:] = 30.0 if values.steps[0] % 2 else -30.0

    def astray(values):
        values.heading[:] += 40.0

    assert np.all(laps("prevent_zig_zag", [Lane(0.0)], swing) < 0.9 * straight)
    assert np.all(laps("prevent_zig_zag", [Lane(0.0)], astray) < straight)


@pytest.mark.parametrize("name", ["avoid_objects", "head_to_bot"])
def test_objects_take_from_who_is_behind_them(name):
    # Objects stand left and right in turn: a car that stays on one side meets every second one.
    empty, among = laps(name), laps(name, with_objects=True)
    crashed = among < 0
    assert np.all(among <= empty)
    assert crashed.any(axis=0)[[2, 4]].all()
    assert np.any((among < 0.3 * empty) & ~crashed)
    # There is always a side on which nothing is lost.
    free = np.maximum(among[:, 2], among[:, 4]) > 0.9 * empty[:, 2]
    assert np.all(free)


def state(**changes) -> dict:
    """A car in the middle of the left lane, 5 m along an 18 m lap, an object on each lane far away."""
    return {
        "all_wheels_on_track": True, "is_crashed": False, "is_left_of_center": True, "distance_from_center": 0.2,
        "projection_distance": 5.0, "track_width": 0.9, "track_length": 18.0, "speed": 1.0, "progress": 20.0,
        "objects_distance": [9.0, 14.0], "objects_speed": [0.2, 0.2], "objects_left_of_center": [True, False],
        "objects_distance_from_center": [0.2, 0.2], **changes,
    }  # fmt: skip


def function_of(name: str):
    space: dict = {}
    exec((REWARDS / f"{name}.py").read_text(), space)
    return space["reward_function"]


@pytest.mark.parametrize("name", ["avoid_objects", "head_to_bot"])
def test_the_pay_falls_towards_an_object_and_comes_back_beside_it(name):
    reward = function_of(name)
    nearer = [reward(state(projection_distance=9.0 - gap)) for gap in (3.0, 1.2, 0.9, 0.5)]
    assert nearer[0] == reward(state(objects_distance=[], objects_speed=[], objects_left_of_center=[]))
    assert nearer == sorted(nearer, reverse=True)
    assert nearer[-1] < 0.1 < nearer[1] < nearer[0]
    aside = [
        reward(state(projection_distance=8.5, distance_from_center=abs(at), is_left_of_center=at > 0))
        for at in (0.2, 0.1, -0.1, -0.2)
    ]
    assert aside == sorted(aside)
    assert aside[-1] == nearer[0]
    assert reward(state(is_crashed=True)) < 0


@pytest.mark.parametrize("name", ["avoid_objects", "head_to_bot"])
def test_an_object_behind_the_start_line_counts(name):
    reward = function_of(name)
    across_the_line = reward(state(projection_distance=17.7, objects_distance=[0.3, 9.0]))
    assert across_the_line == pytest.approx(reward(state(projection_distance=8.4)))


def test_head_to_bot_counts_seconds():
    reward = function_of("head_to_bot")
    slow, fast = (reward(state(projection_distance=7.6, speed=speed)) / speed for speed in (0.6, 3.0))
    assert fast < 0.5 * slow
    following = reward(state(projection_distance=8.2, speed=1.0, objects_speed=[1.0, 1.0]))
    assert following > 2 * reward(state(projection_distance=8.2, speed=1.0))


def fast_lap(rows: int, across: float = 0.0) -> np.ndarray:
    """Rewards (rows,) of a lap driven in so many steps, the finish too."""
    source = RewardSource.check((REWARDS / "fast_lap.py").read_text())
    run = RewardRunner(source, TRACK, 1)
    return np.array([run(values).item() for _, values in drive_lap(TRACK, [Lane(across)], rows)])


def test_fast_lap_pays_what_is_won():
    rewards = fast_lap(150)
    # The first step says nothing yet: nothing was won, and the second has both.
    np.testing.assert_allclose(rewards[2:-1], TRACK.length / 150 * 15.0, rtol=1e-6)
    faster = fast_lap(75)
    np.testing.assert_allclose(faster[2:-1], 2.0 * rewards[2], rtol=1e-6)
    assert faster[-1] - faster[-2] > 1.9 * (rewards[-1] - rewards[-2]) > 5.0


def test_fast_lap_wants_the_wheels_on_the_road():
    assert np.all(fast_lap(150, across=0.9)[2:-1] < 0.3 * fast_lap(150)[2:-1])
    assert np.all(fast_lap(150, across=1.3) < 0.0)


def test_fast_lap_forgets_the_episode_before():
    source = RewardSource.check((REWARDS / "fast_lap.py").read_text())
    run = RewardRunner(source, TRACK, 1)
    rewards = []
    for _ in range(2):
        values = ParamArrays.allocate(TRACK, 1)
        for step in (1, 2):
            values.progress[:], values.steps[:], values.all_wheels_on_track[:] = 0.7 * step, step, True
            rewards.append(run(values).item())
    assert rewards[:2] == rewards[2:]
    assert rewards[0] == pytest.approx(0.007 * TRACK.length * 15.0)
