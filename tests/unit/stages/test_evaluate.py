"""The evaluate stage as a process, with the graph of an untrained policy."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from kuberacer.coach.build import build_agent
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.formats.evaluation_metrics import read_evaluation
from kuberacer.formats.race_result import RaceResult
from kuberacer.formats.simtrace import episodes, read_trace
from kuberacer.settings import StoreSettings
from kuberacer.sim.track import load_track
from kuberacer.store.client import ObjectStore
from tests.seaweed import seaweed
from tests.unit.networks import narrow_networks  # noqa: F401

OUTPUTS = {
    "evaluation-metrics": "metrics.json",
    "simtrace": "traces",
    "video": "lap.mp4",
    "videos": "videos",
    "race-result": "result",
    "executor-output": "kfp.json",
}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    metadata = ModelMetadata.default("clipped_ppo")
    agent = build_agent(metadata, Hyperparameters.parse("", "clipped_ppo"), cars=1)
    agent.export_frozen(folder / "model.pb")
    agent.close()
    (folder / "model_metadata.json").write_text(metadata.to_json())
    np.save(folder / "track.npy", load_track("pebble").route())
    (folder / "environment.json").write_text("{}")
    (folder / "reward.py").write_text("def reward_function(params):\n    return float(params['progress'])\n")
    return folder


@pytest.fixture(scope="module")
def settings(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    """A store with a published model, and with models of two iterations of the run that is evaluated."""
    with seaweed(tmp_path_factory.mktemp("seaweed")) as found:
        store = ObjectStore(found)
        store.put_file("rival/model/model_metadata.json", inputs / "model_metadata.json")
        for key in ("rival/model/model_3.pb", "mine/model/model_1.pb", "mine/model/model_2.pb"):
            store.put_file(key, inputs / "model.pb")
        yield found


def evaluate(
    inputs: Path, folder: Path, *more: str, settings: StoreSettings | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kuberacer.stages.evaluate", "--model", str(inputs), "--track-name", "pebble"]
    command += ["--track-file", str(inputs / "track.npy"), "--reward-file", str(inputs / "reward.py")]
    command += ["--environment", str(inputs / "environment.json")]
    for name, file in OUTPUTS.items():
        command += [f"--{name}", str(folder / file)]
    environment = {**os.environ, **(settings.environment() if settings else {})}
    return subprocess.run([*command, *more], capture_output=True, text=True, timeout=600, env=environment)


@pytest.fixture(scope="module")
def twice(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = [tmp_path_factory.mktemp("evaluated") for _ in range(2)]
    for folder in folders:
        done = evaluate(inputs, folder, "--trials", "2", "--resets", "1", "--off-track-penalty", "4")
        assert done.returncode == 0, done.stderr
    return folders


def test_two_evaluations_with_one_seed_give_the_same_bytes(twice: list[Path]):
    files = [{p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()} for folder in twice]
    assert files[0].keys() == files[1].keys()
    for wanted in ("metrics.json", "traces/0-iteration.csv", "videos/camera-topview/1-video.mp4", "result/0-track.npy"):
        assert wanted in files[0]
    for name, path in files[0].items():
        assert path.read_bytes() == files[1][name].read_bytes(), name


def test_every_trial_has_its_videos_in_three_views(twice: list[Path]):
    videos = twice[0] / "videos"
    found = sorted(path.relative_to(videos).as_posix() for path in videos.rglob("*.mp4"))
    assert found == [f"camera-{view}/{n}-video.mp4" for view in ("45degree", "pip", "topview") for n in (0, 1)]
    pips = [(videos / f"camera-pip/{n}-video.mp4").read_bytes() for n in (0, 1)]
    assert pips[0] == pips[1], "without chance in the race its trials are all the same"
    assert (twice[0] / "lap.mp4").read_bytes() in pips


def test_the_result_adds_up_with_metrics_and_trace(twice: list[Path]):
    result = RaceResult.read(twice[0] / "result" / "race_result.json")
    (track,) = result.tracks
    assert (track.track, result.race_type, result.checkpoint) == ("pebble", "TIME_TRIAL", "best")
    for trial, metric in zip(track.cars[0].trials, read_evaluation(twice[0] / "metrics.json"), strict=True):
        assert trial.seconds * 1000 == pytest.approx(metric.elapsed_time_in_milliseconds, abs=1)
        assert trial.penalties["off_track"] == pytest.approx(4.0 * trial.resets, abs=1e-3)
    assert (twice[0] / "result" / "metrics" / "EvaluationMetrics.json").read_bytes() == (
        twice[0] / "metrics.json"
    ).read_bytes()


def test_metrics_trace_and_video_tell_of_the_same_trials(twice: list[Path]):
    metrics = read_evaluation(twice[0] / "metrics.json")
    trials = episodes(read_trace(twice[0] / "traces" / "0-iteration.csv"))
    assert len(metrics) == len(trials) == 2
    for metric, rows in zip(metrics, trials, strict=True):
        assert rows[-1].done
        assert rows[-1].tstamp * 1000 == pytest.approx(metric.elapsed_time_in_milliseconds, abs=1)
        assert sum(row.episode_status == "pause" for row in rows) == 60 * metric.reset_count, "4 s of 15 steps"
        driven = [row for row in rows if row.episode_status != "pause"]
        assert [row.reward for row in driven] == pytest.approx([row.progress for row in driven], abs=1e-3)
    with av.open(str(twice[0] / "videos/camera-pip/0-video.mp4")) as container:
        frames = sum(1 for _ in container.decode(container.streams.video[0]))
    assert frames == len(trials[0]) + 14, "a frame a step of the first trial, the last one held for a second"
    figures = json.loads((twice[0] / "kfp.json").read_text())["artifacts"]["metrics"]["artifacts"][0]["metadata"]
    assert figures["trials"] == 2


def test_a_model_that_is_none_is_refused_with_cause_and_remedy(inputs: Path, tmp_path: Path):
    (tmp_path / "model.pb").write_bytes(b"no graph")
    (tmp_path / "model_metadata.json").write_text((inputs / "model_metadata.json").read_text())
    done = evaluate(inputs, tmp_path, "--model", str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.strip().splitlines()[-2].startswith("error: ")
    assert "model.pb" in done.stderr


def test_the_yaml_decides_over_tracks_trials_and_penalties(inputs: Path, tmp_path: Path):
    race = "NUMBER_OF_TRIALS: 1\nNUMBER_OF_RESETS: 0\nDISPLAY_NAME: Ada\nLEADERBOARD_NAME: club\n"
    done = evaluate(inputs, tmp_path, "--race", race, "--evaluation", "WORLD_NAME: pebble, kidney")
    assert done.returncode == 0, done.stderr
    result = RaceResult.read(tmp_path / "result" / "race_result.json")
    assert [track.track for track in result.tracks] == ["pebble", "kidney"]
    assert [len(track.cars[0].trials) for track in result.tracks] == [1, 1]
    assert (result.leaderboard_name, result.racer) == ("club", "Ada")
    assert len(read_evaluation(tmp_path / "metrics.json")) == 2
    for name in ("traces/1-iteration.csv", "result/metrics/EvaluationMetrics-1.json", "result/1-track.npy"):
        assert (tmp_path / name).is_file(), name
    assert (tmp_path / "videos/camera-pip/1-video.mp4").is_file()


def test_a_continuous_race_has_one_video_of_all_its_laps(inputs: Path, tmp_path: Path):
    yaml = "IS_CONTINUOUS: true\nNUMBER_OF_TRIALS: 2\nNUMBER_OF_RESETS: 100\nOFF_TRACK_PENALTY: 0.2"
    done = evaluate(inputs, tmp_path, "--evaluation", yaml)
    assert done.returncode == 0, done.stderr
    trials = episodes(read_trace(tmp_path / "traces" / "0-iteration.csv"))
    assert len(trials) == len(read_evaluation(tmp_path / "metrics.json"))
    assert [path.name for path in (tmp_path / "videos/camera-pip").iterdir()] == ["0-video.mp4"]


def test_an_unknown_track_is_refused_before_anything_is_driven(inputs: Path, tmp_path: Path):
    done = evaluate(inputs, tmp_path, "--evaluation", "WORLD_NAME: nowhere")
    assert done.returncode == 1
    assert "nowhere" in done.stderr
    assert not (tmp_path / "traces").exists()


def test_models_race_against_models_of_the_store(inputs: Path, tmp_path: Path, settings: StoreSettings):
    yaml = "RACE_TYPE: HEAD_TO_MODEL\nMODEL_S3_PREFIX: [mine, rival]\nRACER_NAME: [Ada, Grace]\nNUMBER_OF_RESETS: 1"
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        done = evaluate(inputs, folder, "--evaluation", yaml, "--trials", "1", settings=settings)
        assert done.returncode == 0, done.stderr
    result = RaceResult.read(folders[0] / "result" / "race_result.json")
    (track,) = result.tracks
    assert [car.name for car in track.cars] == ["Ada", "Grace"]
    assert track.cars[1].model == f"s3://{settings.kuberacer_s3_bucket}/rival"
    assert {car.position for car in track.cars} <= {1, 2}
    for car in (0, 1):
        assert list(read_trace(folders[0] / f"traces/agent_{car}/0-iteration.csv"))
        (metric,) = read_evaluation(folders[0] / f"result/metrics/agent_{car}/EvaluationMetrics.json")
        assert metric.elapsed_time_in_milliseconds == pytest.approx(track.cars[car].seconds * 1000, abs=1)
    assert "1. " in done.stdout
    for name in ("traces/agent_1/0-iteration.csv", "videos/camera-pip/0-video.mp4", "result/race_result.json"):
        assert (folders[0] / name).read_bytes() == (folders[1] / name).read_bytes(), name


def test_a_rival_that_is_not_there_is_named(inputs: Path, tmp_path: Path, settings: StoreSettings):
    yaml = "RACE_TYPE: HEAD_TO_MODEL\nMODEL_S3_PREFIX: [mine, nobody]"
    done = evaluate(inputs, tmp_path, "--evaluation", yaml, settings=settings)
    assert done.returncode == 1
    assert "nobody/model/model_metadata.json" in done.stderr


def test_another_checkpoint_of_the_run_comes_from_the_store(inputs: Path, tmp_path: Path, settings: StoreSettings):
    arguments = ("--run", "mine", "--trials", "1", "--resets", "0")
    done = evaluate(inputs, tmp_path, *arguments, "--evaluation", "EVAL_CHECKPOINT: 2", settings=settings)
    assert done.returncode == 0, done.stderr
    assert "evaluates the model of iteration 2" in done.stdout
    assert RaceResult.read(tmp_path / "result" / "race_result.json").checkpoint == "2"
    done = evaluate(inputs, tmp_path, *arguments, "--evaluation", "EVAL_CHECKPOINT: 9", settings=settings)
    assert done.returncode == 1
    assert "iteration 9" in done.stderr
    assert "1, 2" in done.stderr


def test_boxes_are_hit_and_a_reward_made_for_another_race_does_not_end_it(inputs: Path, tmp_path: Path):
    reward = "def reward_function(params):\n    return float(params['objects_location'][7][0])\n"
    (tmp_path / "reward.py").write_text(reward)
    yaml = "RACE_TYPE: OBJECT_AVOIDANCE\nNUMBER_OF_OBSTACLES: 2"
    more = ("--race", yaml, "--trials", "1", "--resets", "2", "--reward-file", str(tmp_path / "reward.py"))
    done = evaluate(inputs, tmp_path, *more)
    assert done.returncode == 0, done.stderr
    assert "rewards in the trace are 0" in done.stdout
    assert {row.reward for row in read_trace(tmp_path / "traces" / "0-iteration.csv")} == {0.0}
    assert RaceResult.read(tmp_path / "result" / "race_result.json").race_type == "OBJECT_AVOIDANCE"
