"""The example rewards: what each is for shows in its numbers, and each runs alone."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from kuberacer.reward.runner import RewardRunner
from kuberacer.reward.samples import Lane, drive_lap, place_objects
from kuberacer.reward.source import RewardSource
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.track import load_track

REWARDS = Path(__file__).parents[3] / "rewards"
TRACK = load_track("hairpin")
LANES = [Lane(across) for across in (-1.3, -0.7, -0.4, 0.0, 0.4, 0.7, 1.3)]


def laps(name: str, lanes=LANES, change=lambda values: None, with_objects: bool = False) -> np.ndarray:
    """Rewards (rows, lanes) of one lap, the finish left out."""
    positions, objects = place_objects(TRACK, 4) if with_objects else (None, None)
    source = RewardSource.check((REWARDS / f"{name}.py").read_text(), name)
    run = RewardRunner(source, TRACK, len(lanes), objects)
    rewards = []
    for _, values in drive_lap(TRACK, lanes, 60, objects=positions):
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


@pytest.mark.parametrize("name", ["follow_center_line", "stay_inside_borders", "prevent_zig_zag", "avoid_objects"])
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


def test_avoid_objects():
    # Objects stand left and right in turn: a car that stays on one side meets every second one.
    empty, among = laps("avoid_objects"), laps("avoid_objects", with_objects=True)
    assert np.all(among <= empty)
    assert np.any(among[:, 2] < 0.3)
    assert np.any(among[:, 4] < 0.3)
    free = (among[:, 2] == empty[:, 2]) | (among[:, 4] == empty[:, 4])
    assert np.all(free)


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
