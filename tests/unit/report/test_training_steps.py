"""A training's steps: whole episodes across iterations, their times, and a bound on how many are read."""

from pathlib import Path

import numpy as np
import pytest

from kuberacer.formats.simtrace import TraceRow, write_trace
from kuberacer.report.training_steps import read_steps
from tests.unit.report.traced import episode, steps


def row(episode: int, step: int, done: bool = False, reward: float = 1.0) -> TraceRow:
    return TraceRow(
        episode, step, 0.1 * step, 0.0, 0.0, 15.0, 1.0, 2, reward, done, True, 1.0 * step, 3, 19.0, step / 15,
        "off_track" if done else "in_progress", 0.0, 0, 0.0,
    )  # fmt: skip


def test_an_episode_goes_on_in_the_next_iteration(tmp_path: Path) -> None:
    write_trace(tmp_path / "0-iteration.csv", [row(0, 1), row(0, 2), row(1, 1), row(1, 2, done=True)])
    write_trace(tmp_path / "1-iteration.csv", [row(0, 3), row(0, 4, done=True), row(2, 1)])
    write_trace(tmp_path / "9-iteration.csv", [row(2, 2)])
    found = read_steps(tmp_path)
    assert found.table["steps"].tolist() == [1, 2, 3, 4, 1, 2, 1, 2]
    assert found.episode.tolist() == [0, 0, 0, 0, 1, 1, 2, 2]
    assert found.table["iteration"].tolist() == [1, 1, 2, 2, 1, 1, 2, 10]
    np.testing.assert_allclose(found.seconds, 1 / 15, atol=1e-3)
    np.testing.assert_allclose(found.speed, np.where(found.begins, 0.0, 1.5), atol=0.02)
    assert found.ends()["episode"].tolist() == [0, 1]
    assert found.end.table["iteration"].tolist() == [10]
    assert found.said() == "all 8 steps of 3 iterations"


def test_too_many_steps_are_sampled_by_whole_iterations_and_it_is_said(tmp_path: Path) -> None:
    for iteration in range(1, 101):
        rows = [row(0, 10 * iteration + step) for step in range(10)]
        write_trace(tmp_path / f"{iteration - 1}-iteration.csv", rows)
    size = sum(path.stat().st_size for path in tmp_path.iterdir())
    found = read_steps(tmp_path, size // 5)
    assert len(found) == 10 * len(found.iterations)
    assert len(found.iterations) == 20
    assert {1, 100} < set(found.iterations.tolist())
    assert found.said() == "200 steps of 20 evenly spread iterations of 100"
    # Where an iteration was left out nothing is known of the step before.
    assert found.begins.sum() == 20
    assert found.seconds[found.begins].tolist() == [0.0] * 20
    assert (found.speed[found.begins] == 0).all()


def test_a_training_without_a_step_has_no_steps(tmp_path: Path) -> None:
    found = read_steps(tmp_path)
    assert len(found) == len(found.end) == len(found.seconds) == 0


def test_a_reset_is_no_way() -> None:
    status = ["in_progress", "off_track", "pause", "in_progress"]
    found = steps(episode(0, np.array([0.0, 0.1, 3.0, 3.1]), np.zeros(4), episode_status=status))
    assert found.resets.tolist() == [False, False, True, False]
    assert found.speed == pytest.approx([0.0, 1.5, 0.0, 1.5])
