"""PyPI's deepracer-utils reads a run, from its folder, from its bucket and from an archive, and finds what we say."""

import csv
import io
import json
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from deepracer.logs import (
    AnalysisUtils,
    DeepRacerLog,
    LogFolderType,
    S3FileHandler,
    SimulationLogsIO,
    TarFileHandler,
    TrainingMetrics,
)  # fmt: skip

from tests.analysis.conftest import ROOT, TOOLS

STEP = 1 / 15  # s
PREFIX = "SIM_TRACE_LOG:"


def entries(path: Path) -> list[dict[str, Any]]:
    return list(json.loads(path.read_text())["metrics"])


def training_entries(run: Path) -> list[dict[str, Any]]:
    return [entry for entry in entries(run / "TrainingMetrics.json") if entry["phase"] == "training"]


def lines(folder: Path) -> list[dict[str, str]]:
    """The rows of all traces in a folder."""
    return [row for path in sorted(folder.glob("*-iteration.csv")) for row in csv.DictReader(path.open())]


def by_episode(frame: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """What the package makes of each episode, by the number that its trace has.

    Its times begin with the row that is called prepare, as the first one of an episode in its simulator.
    """
    frame = frame.sort_values(["episode", "steps"]).reset_index(drop=True)
    frame.loc[frame["steps"] == 1, "episode_status"] = "prepare"
    found = AnalysisUtils.simulation_agg(frame, firstgroup="worker", **options)
    return found.set_index("episode")


@pytest.fixture(scope="module")
def training(run: Path) -> pd.DataFrame:
    log = DeepRacerLog(str(run))
    log.load()
    return log.dataframe()


@pytest.fixture(scope="module")
def bucket(run: Path) -> Iterator[dict[str, str]]:
    """The run's own store, going again."""
    process = subprocess.Popen(
        [str(TOOLS), str(Path(__file__).with_name("serve_store.py")), str(run / ".store")],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.communicate()


def test_the_folder_is_one_that_it_knows(run: Path):
    log = DeepRacerLog(str(run))
    assert log.fh.type == LogFolderType.DRFC_MODEL_SINGLE_WORKERS
    log.load()
    metadata = json.loads((run / "model" / "model_metadata.json").read_text())
    assert log.action_space() == metadata["action_space"]
    assert log.agent_and_network()["network"] == metadata["neural_network"]


def test_every_step_of_the_training_is_there(run: Path, training: pd.DataFrame):
    ours = lines(run / "training-simtrace")
    assert len(training) == len(ours) == 1536
    assert training["episode"].nunique() == len({row["episode"] for row in ours})
    assert sorted(training["iteration"].unique()) == [0, 1, 2]
    assert training["unique_episode"].notna().all()
    assert training["action"].between(0, 29).all()
    assert training["reward"].sum() == pytest.approx(sum(float(row["reward"]) for row in ours))


def test_episodes_have_our_progress_time_steps_and_return(run: Path, training: pd.DataFrame):
    found = by_episode(training)
    metrics = training_entries(run)
    assert len(metrics) == training["done"].sum() > 10
    for entry in metrics:
        episode = found.loc[entry["episode"] - 1]
        assert int(episode["progress"]) == entry["completion_percentage"]
        assert episode["complete"] == (entry["episode_status"] == "Lap complete")
        assert episode["reward"] == pytest.approx(entry["reward_score"], abs=0.01)
        seconds = entry["elapsed_time_in_milliseconds"] / 1000
        assert episode["steps"] * STEP == pytest.approx(seconds, abs=2e-3)
        assert episode["time"] + STEP == pytest.approx(seconds, abs=2e-3)


def test_training_metrics(run: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    read = TrainingMetrics("", fname=str(run / "TrainingMetrics.json"))
    ours = training_entries(run)
    found = read.getTraining()
    assert found["reward"].tolist() == [entry["reward_score"] for entry in ours]
    assert found["completion"].tolist() == [entry["completion_percentage"] for entry in ours]
    assert (found["time"] * 1000).round().tolist() == [entry["elapsed_time_in_milliseconds"] for entry in ours]
    history = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert len(read.getEvaluation()) == len(history) == 3
    assert read.episodes_per_iteration == max(row["episodes_here"] for row in history)
    assert read.getEvaluation()["completion"].tolist() == [int(row["lap_progress"]) for row in history]
    summary = read.getSummary()
    assert summary["train_episodes"].sum() == len(ours)
    assert summary["eval_episodes"].sum() == 3


def test_the_bucket(run: Path, training: pd.DataFrame, bucket: dict[str, str], monkeypatch: pytest.MonkeyPatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, bucket[name])
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    endpoint = bucket["KUBERACER_S3_ENDPOINT"]
    log = DeepRacerLog(filehandler=S3FileHandler(bucket["bucket"], run.name, s3_endpoint_url=endpoint))
    log.load()
    pd.testing.assert_frame_equal(log.dataframe(), training, check_exact=True)
    assert log.hyperparameters()["batch_size"] == 64
    read = TrainingMetrics(bucket["bucket"], model_name=run.name, s3_endpoint_url=endpoint)
    assert len(read.getTraining()) == len(training_entries(run))

    evaluation = DeepRacerLog(filehandler=log.fh)
    evaluation.load_evaluation_trace()
    frame = evaluation.dataframe()
    assert len(frame) == len(lines(run / "simtrace"))
    found = by_episode(frame.assign(worker=0), is_eval=True)
    trials = entries(run / "evaluation_metrics.json")
    assert len(found) == len(trials) == 2
    for trial in trials:
        episode = found.loc[trial["trial"] - 1]
        assert int(episode["progress"]) == trial["completion_percentage"]
        assert episode["time"] + STEP == pytest.approx(trial["elapsed_time_in_milliseconds"] / 1000, abs=2e-3)
        assert episode["off_track"] == trial["off_track_count"]


def test_an_archive_of_the_traces(run: Path, training: pd.DataFrame, tmp_path: Path):
    # Two folders deep: it strips the outermost one and wants to see another.
    with tarfile.open(tmp_path / "logs.tar.gz", "w:gz") as archive:
        archive.add(run / "training-simtrace", "logs/my-model/training-simtrace")
    with TarFileHandler(str(tmp_path / "logs.tar.gz")) as handler:
        log = DeepRacerLog(filehandler=handler)
        assert log.fh.type == LogFolderType.DRFC_MODEL_SINGLE_WORKERS
        log.load_training_trace(ignore_metadata=True)
    pd.testing.assert_frame_equal(log.dataframe(), training)


def test_log_lines(run: Path, training: pd.DataFrame):
    path = run / "training-simtrace" / "0-iteration.csv"
    text = "".join(f"some node {PREFIX}{line}\n" for line in path.read_text().splitlines()[1:])
    frame = SimulationLogsIO.convert_to_pandas(SimulationLogsIO.load_buffer(io.StringIO(text)))
    first = training[training["iteration"] == 0].sort_values(["episode", "steps"]).reset_index(drop=True)
    for name in ("episode", "steps", "x", "y", "speed", "steering_angle", "reward", "progress", "on_track", "done"):
        assert frame[name].tolist() == first[name].tolist()
