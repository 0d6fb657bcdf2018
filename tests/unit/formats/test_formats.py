"""The formats hold what the documents say, and reading gives back what was written."""

import io
import json
import tarfile
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.formats import car_archive, simtrace
from kuberacer.formats.checkpoints_json import CheckpointEntry, Checkpoints
from kuberacer.formats.evaluation_metrics import EvaluationMetric, read_evaluation, write_evaluation
from kuberacer.formats.status import LABELS
from kuberacer.formats.training_metrics import TrainingMetric, TrainingMetrics

counts = st.integers(0, 10**6)
numbers = st.floats(-1e5, 1e5).map(lambda value: round(value, 2))
actions = st.integers(0, 29) | st.tuples(st.floats(-1, 1, width=16), st.floats(-1, 1, width=16))
rows = st.builds(
    simtrace.TraceRow,
    episode=counts, steps=counts, x=numbers, y=numbers, yaw=numbers, steer=numbers, throttle=numbers, action=actions,
    reward=numbers, done=st.booleans(), all_wheels_on_track=st.booleans(), progress=numbers, closest_waypoint=counts,
    track_len=numbers, tstamp=numbers, episode_status=st.sampled_from(sorted(LABELS)), pause_duration=st.just(0.0),
    obstacle_crash_counter=counts, wall_clock=st.integers(0, 2**31).map(float),
)  # fmt: skip


@given(rows)
def test_a_trace_line_reads_back(row: simtrace.TraceRow):
    read = simtrace.TraceRow.from_line(row.to_line())
    for field in fields(row):
        if field.name == "action":
            assert read.action == pytest.approx(row.action, abs=1e-5)
        else:
            assert getattr(read, field.name) == getattr(row, field.name), field.name


@given(rows)
def test_a_trace_line_has_the_headers_fields_and_a_log_prefix_is_taken(row: simtrace.TraceRow):
    line = row.to_line()
    assert line.count(",") == simtrace.HEADER.count(",")
    assert simtrace.TraceRow.from_line(f"2026-01-01 {simtrace.LOG_PREFIX}{line}\n") == simtrace.TraceRow.from_line(line)


def test_the_trace_header_is_deepracers():
    assert simtrace.HEADER.split(",") == [
        "episode", "steps", "X", "Y", "yaw", "steer", "throttle", "action", "reward", "done", "all_wheels_on_track",
        "progress", "closest_waypoint", "track_len", "tstamp", "episode_status", "pause_duration",
        "obstacle_crash_counter", "wall_clock",
    ]  # fmt: skip


@pytest.mark.parametrize("line", ["", "1,2,3", simtrace.HEADER.replace("done", "x"), "a" + ",1" * 18])
def test_a_broken_trace_line_names_file_and_line(tmp_path: Path, line: str):
    path = tmp_path / "0-iteration.csv"
    path.write_text(f"{simtrace.HEADER}\n\n{line or 'x'}\n")
    with pytest.raises(UserError, match=r"0-iteration\.csv, line 3"):
        list(simtrace.read_trace(path))


@given(st.lists(rows, max_size=5))
def test_a_trace_file_reads_back(tmp_path_factory: pytest.TempPathFactory, written: list[simtrace.TraceRow]):
    path = tmp_path_factory.mktemp("trace") / "sub" / "trace.csv"
    simtrace.write_trace(path, written)
    read = list(simtrace.read_trace(path))
    assert [row.to_line() for row in read] == [row.to_line() for row in written]
    assert sum(len(episode) for episode in simtrace.episodes(read)) == len(written)


def test_training_metrics_have_deepracers_keys_and_read_back(tmp_path: Path):
    metric = TrainingMetric.of(
        "training",
        episode=3,
        trial=1,
        reward=12.34567,
        started=1_700_000_000.5,
        sim_seconds=17.25,
        progress=63.9,
        status="off_track",
    )
    path = tmp_path / "TrainingMetrics.json"
    TrainingMetrics([metric]).write(path)
    document = json.loads(path.read_text())
    assert set(document) == {"metrics", "version", "best_model_metric"}
    assert document["metrics"][0] == {
        "reward_score": 12.3457,
        "metric_time": 1_700_000_017_750,
        "start_time": 1_700_000_000_500,
        "elapsed_time_in_milliseconds": 17250,
        "episode": 3,
        "trial": 1,
        "phase": "training",
        "completion_percentage": 63,
        "episode_status": "Off track",
    }
    assert TrainingMetrics.read(path).metrics == [metric]


def test_evaluation_metrics_read_back(tmp_path: Path):
    metric = EvaluationMetric(100, 20000, 0, 20000, "Lap complete", 0, 0, 1, 0, 1, 1)
    path = tmp_path / "evaluation_metrics.json"
    write_evaluation(path, [metric])
    assert read_evaluation(path) == [metric]
    assert metric.completed


def test_checkpoints_json_reads_back():
    entry = CheckpointEntry("3_Step-6144.ckpt", 71.5, 1_700_000_000.0)
    both = Checkpoints(best_checkpoint=entry, last_checkpoint=entry)
    assert Checkpoints.parse(both.to_json()) == both


@given(st.binary(max_size=2000), st.binary(max_size=200))
def test_the_car_archive_holds_two_files_and_the_same_bytes_each_time(
    tmp_path_factory: pytest.TempPathFactory, graph: bytes, metadata: bytes
):
    folder = tmp_path_factory.mktemp("car")
    archives = [folder / "a.tar.gz", folder / "b.tar.gz"]
    for archive in archives:
        car_archive.write_car_archive(archive, graph, metadata)
    assert archives[0].read_bytes() == archives[1].read_bytes()
    with tarfile.open(fileobj=io.BytesIO(archives[0].read_bytes())) as opened:
        assert opened.getnames() == ["agent/model.pb", "model_metadata.json"]
        assert opened.extractfile("agent/model.pb").read() == graph  # type: ignore[union-attr]
