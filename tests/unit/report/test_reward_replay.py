"""A reward replayed over traces of real driving: the same parameters, the same rewards, and what is said of others."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.formats.trace_columns import iterations_of, read_iterations
from kuberacer.report.place_map import mean_by_place
from kuberacer.report.replay import Replay, by_iteration, in_lanes, replay
from kuberacer.report.replay_params import OF_OBJECTS, TracedSteps
from kuberacer.reward.runner import RewardRunner
from kuberacer.reward.source import DEFAULT_IMPORTS, RewardSource
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.params import array_keys
from kuberacer.sim.scene import Bots, Boxes, Scene
from kuberacer.sim.track import load_track
from kuberacer.stages.replay_reward import main
from tests.unit.report.traces import drive

REWARDS = Path(__file__).parents[3] / "rewards"
TRACK = load_track("hairpin")
DISCRETE = ModelMetadata.default("clipped_ppo")
# What the trace's digits leave open: 0.1 mm of a place, which turns into more only where the track bends.
ROUNDING = {
    "x": 6e-5, "y": 6e-5, "heading": 6e-5, "distance_from_center": 1e-4, "projection_distance": 1e-3, "progress": 6e-5,
    "sim_time": 1e-12, "speed": 1e-5, "steering_angle": 1e-4, "objects_location": 0.0,
}  # fmt: skip
BOXES = Scene(Boxes(4, places=((0.3, -1), (0.6, 1))))
SIX = Scene(Boxes(6, random=False))


def function(text: str, cars: int = 6, objects: int = 0) -> RewardRunner:
    return RewardRunner(RewardSource.check(text), TRACK, cars, objects)


def traced(folder: Path, rules: SimConfig | None = None, metadata: ModelMetadata = DISCRETE) -> TracedSteps:
    return TracedSteps(read_iterations(iterations_of(folder).items()), TRACK, rules or SimConfig(), metadata)


def played_again(steps: TracedSteps, text: str, name: str = "reward.py") -> Replay:
    return replay(steps, text, TRACK, name=name, allowed_imports=DEFAULT_IMPORTS)


ONE = "def reward_function(params):\n    return 1.0\n"
RACES = {
    "time trial": SimConfig(),
    "the other way": SimConfig(reverse_direction=True),
    "alternating": SimConfig(alternate_direction=True),
    "randomised": SimConfig(randomization=True),
    "boxes": SimConfig(scene=SIX),
    "given boxes, alternating": SimConfig(scene=BOXES, alternate_direction=True),
}


@pytest.mark.parametrize("rules", RACES.values(), ids=RACES)
def test_the_parameters_are_those_of_the_training(rules: SimConfig, tmp_path: Path):
    told = drive(tmp_path, TRACK, function(ONE, objects=rules.scene.objects), rules)
    steps = traced(tmp_path, rules)
    assert not steps.missing
    values = steps.values.allocate(TRACK, len(told), objects=steps.objects)
    keys = list(array_keys(steps.objects))
    steps.batch(values, np.arange(len(told)), keys)
    crashed = 0
    for key in keys:
        wanted, found = np.array([step[key] for step in told]), getattr(values, key)
        if key == "is_left_of_center":  # on the line, the side is not in the digits
            off = np.array([step["distance_from_center"] for step in told]) > 2e-4
            wanted, found = wanted[off], found[off]
        if key == "object_in_camera":
            assert np.mean(wanted != found) < 0.005, "at the picture's very edge only"
            crashed += wanted.sum()
            continue
        np.testing.assert_allclose(found, wanted, atol=ROUNDING.get(key, 0.0), rtol=1e-12, err_msg=key)
    assert crashed > 0 or not steps.objects, "an object was seen"


def test_continuous_actions_have_more_digits_than_the_commands(tmp_path: Path):
    metadata = ModelMetadata.default("sac")
    told = drive(tmp_path, TRACK, function(ONE), metadata=metadata)
    values = traced(tmp_path, metadata=metadata).values
    for key in ("speed", "steering_angle"):
        np.testing.assert_allclose(getattr(values, key), [step[key] for step in told], atol=2e-5)


@pytest.mark.parametrize("name", [path.stem for path in sorted(REWARDS.glob("*.py"))])
def test_a_runs_own_reward_gives_what_was_recorded(name: str, tmp_path: Path):
    text, rules = (REWARDS / f"{name}.py").read_text(), SimConfig(scene=SIX)
    drive(tmp_path, TRACK, function(text, objects=6), rules)
    again = played_again(traced(tmp_path, rules), text)
    apart = np.abs(again.new - again.old)
    # Where a reward jumps, a place that is 0.1 mm off can be on the other side.
    assert np.quantile(apart, 0.995) < 2e-3
    assert np.ptp(again.old) > 0.1


REMEMBERS = """
before = [0.0]

def reward_function(params):
    if params["steps"] == 1:
        before[0] = 0.0
    change = abs(params["steering_angle"] - before[0])
    before[0] = params["steering_angle"]
    return 1.0 - change / 60.0
"""


def test_what_a_function_remembers_is_of_its_own_episode(tmp_path: Path):
    drive(tmp_path, TRACK, function(REMEMBERS))
    again = played_again(traced(tmp_path), REMEMBERS)
    assert again.remembers
    np.testing.assert_allclose(again.new, again.old, atol=6e-5)


OBJECT_READER = """
def reward_function(params):
    return 1.0 if params["objects_location"] else 0.5
"""
ANY_KEY = """
def reward_function(params):
    return float(len([key for key in params]))
"""


@pytest.mark.parametrize(
    ("scene", "reason"),
    [
        (Scene(Boxes(3, random=True)), "the boxes stand elsewhere in each episode"),
        (Scene(bots=Bots(2, speed=0.3)), "the bots drive"),
    ],
)
def test_what_the_traces_do_not_tell_is_refused(scene: Scene, reason: str, tmp_path: Path):
    rules = SimConfig(scene=scene)
    drive(tmp_path, TRACK, function(ONE, objects=scene.objects), rules, steps=20)
    steps = traced(tmp_path, rules)
    assert set(steps.missing) == set(OF_OBJECTS)
    with pytest.raises(UserError, match=f"reward.py reads objects_location, which the traces .* {reason}"):
        played_again(steps, OBJECT_READER)
    with pytest.raises(UserError, match=r"reward.py may read .* and any other key"):
        played_again(steps, ANY_KEY)
    played_again(steps, (REWARDS / "follow_center_line.py").read_text())


def test_a_camera_that_moved_is_not_rebuilt(tmp_path: Path):
    rules = SimConfig(scene=SIX, randomization=True)
    drive(tmp_path, TRACK, function(ONE, objects=6), rules, steps=10)
    steps = traced(tmp_path, rules)
    assert set(steps.missing) == {"object_in_camera"}
    assert set(played_again(steps, OBJECT_READER).new) == {1.0}


def test_a_fault_names_its_line(tmp_path: Path):
    drive(tmp_path, TRACK, function(ONE), steps=10)
    text = 'def reward_function(params):\n    return 1.0 / (params["steps"] - 5)\n'
    with pytest.raises(UserError, match=r"reward.py:2: ZeroDivisionError"):
        played_again(traced(tmp_path), text)


def test_traces_of_another_track_are_refused(tmp_path: Path):
    drive(tmp_path, TRACK, function(ONE), steps=5)
    table = read_iterations(iterations_of(tmp_path).items())
    with pytest.raises(UserError, match="the traces are of a track of"):
        TracedSteps(table, load_track("kidney"), SimConfig(), DISCRETE)
    with pytest.raises(UserError, match="actions that the model's metadata does not have"):
        TracedSteps(table, TRACK, SimConfig(), ModelMetadata.default("sac"))


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60), st.integers(1, 9), st.booleans())
def test_every_step_is_called_once_and_episodes_stay_together(numbers: list[int], lanes: int, whole: bool):
    episode = np.unique(numbers, return_inverse=True)[1]
    rounds = np.array(list(in_lanes(episode, lanes, whole)))
    called = rounds[rounds >= 0]
    assert sorted(called.tolist()) == list(range(len(episode)))
    if whole:
        for lane in rounds.T:
            steps = lane[lane >= 0]
            changes = np.flatnonzero(np.diff(episode[steps]))
            assert len(changes) == len(set(episode[steps].tolist())) - 1
            for number in set(episode[steps].tolist()):
                mine = steps[episode[steps] == number]
                assert mine.tolist() == np.flatnonzero(episode == number).tolist()


def test_episodes_and_iterations_add_up(tmp_path: Path):
    drive(tmp_path, TRACK, function((REWARDS / "follow_center_line.py").read_text()), steps=60)
    again = played_again(traced(tmp_path), "def reward_function(params):\n    return -params['speed']\n")
    episodes = again.episodes
    assert len(episodes) == again.table["done"].sum() > 5
    for number, old, new, steps in zip(episodes.number, episodes.old, episodes.new, episodes.steps, strict=True):
        mine = again.table["episode"] == number
        assert steps == mine.sum()
        assert old == pytest.approx(again.table["reward"][mine].sum())
        assert new == pytest.approx(-again.table["throttle"][mine].sum(), abs=0.01 * steps)
    rows = by_iteration(again)
    assert [row[0] for row in rows] == [1, 2]
    assert sum(row[1] for row in rows) == len(again.old) == 2 * 60 * 6
    assert sum(row[2] for row in rows) == len(episodes)
    assert episodes.rank_new[np.argmax(episodes.new)] == 1


def test_means_by_place():
    x, y = TRACK.center[[0, 0, 5]].T
    columns, rows, mean, counts = mean_by_place(TRACK, np.append(x, 999.0), np.append(y, 0.0), np.array([1, 2, 7, 9]))
    assert counts.sum() == 4, "one far away counts at the edge"
    assert counts[:, -1].sum() == 1
    for at, wanted in ((0, 1.5), (5, 7.0)):
        cell = np.searchsorted(rows, TRACK.center[at, 1]) - 1, np.searchsorted(columns, TRACK.center[at, 0]) - 1
        assert mean[cell] == wanted
    assert np.isnan(mean[counts == 0]).all()


def test_the_stage_writes_page_and_tables(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    run = tmp_path / "monday"
    text = (REWARDS / "follow_center_line.py").read_text()
    drive(run / "training-simtrace", TRACK, function(text), steps=60)
    (run / "model").mkdir()
    (run / "model" / "model_metadata.json").write_text(DISCRETE.to_json())
    (run / "run.json").write_text(json.dumps({"track": "hairpin", "parameters": {}}))
    (run / "reward_function.py").write_text(text)
    np.save(run / "track.npy", TRACK.route())

    def asked(*arguments: str) -> str:
        command = ["replay_reward", "--run-folder", str(run), "--output", str(tmp_path / "out"), *arguments]
        monkeypatch.setattr(sys, "argv", command)
        main()
        return capsys.readouterr().out

    assert "these are the recorded rewards" in asked()
    assert "360 steps" in asked("--reward", str(REWARDS / "prevent_zig_zag.py"), "--iterations", "2")
    with (tmp_path / "out" / "steps.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 360
    assert {row["iteration"] for row in rows} == {"2"}
    page = (tmp_path / "out" / "report.html").read_text()
    for wanted in ("prevent_zig_zag.py replayed over monday", "Reward by place", "def reward_function"):
        assert wanted in page
    with pytest.raises(UserError, match="there is no iteration 3-9") as caught:
        asked("--iterations", "3-9")
    assert "within 1-2" in caught.value.remedy
