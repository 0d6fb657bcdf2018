"""The evaluate stage as a process, with the graph of an untrained policy."""

import json
import subprocess
import sys
from pathlib import Path

import av
import numpy as np
import pytest

from kuberacer.coach.build import build_agent
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.formats.evaluation_metrics import read_evaluation
from kuberacer.formats.simtrace import episodes, read_trace
from kuberacer.sim.track import load_track

OUTPUTS = {
    "evaluation-metrics": "metrics.json",
    "simtrace": "traces",
    "video": "lap.mp4",
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


def evaluate(inputs: Path, folder: Path, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kuberacer.stages.evaluate", "--model", str(inputs), "--track-name", "pebble"]
    command += ["--track-file", str(inputs / "track.npy"), "--reward-file", str(inputs / "reward.py")]
    command += ["--environment", str(inputs / "environment.json")]
    for name, file in OUTPUTS.items():
        command += [f"--{name}", str(folder / file)]
    return subprocess.run([*command, *more], capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def twice(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folders = [tmp_path_factory.mktemp("evaluated") for _ in range(2)]
    for folder in folders:
        done = evaluate(inputs, folder, "--trials", "2", "--resets", "1", "--off-track-penalty", "4")
        assert done.returncode == 0, done.stderr
    return folders


def test_two_evaluations_with_one_seed_give_the_same_bytes(twice: list[Path]):
    for file in ("metrics.json", "traces/0-iteration.csv", "lap.mp4", "kfp.json"):
        assert (twice[0] / file).read_bytes() == (twice[1] / file).read_bytes(), file


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
    with av.open(str(twice[0] / "lap.mp4")) as container:
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
