"""The loop over a real simulator and a real agent, small: what it counts, keeps and resumes."""

import json
import random
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.coach.build import build_agent
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.formats.simtrace import read_trace
from kuberacer.formats.training_metrics import TrainingMetrics
from kuberacer.report import history
from kuberacer.rollout.collector import Collector
from kuberacer.rollout.laps import Lap
from kuberacer.rollout.records import HISTORY, METRICS, Records
from kuberacer.rollout.trainer import Budget, Iteration, Progress, Trainer, progress_line
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track
from kuberacer.store.checkpoints import Manifest, best_of

CARS = 4


def on_the_road(values: ParamArrays) -> np.ndarray:
    return np.where(values.all_wheels_on_track, 1.0, 0.0)


@pytest.fixture(scope="module")
def trained(ring: Track, tmp_path_factory: pytest.TempPathFactory):
    """Two iterations of 128 steps: (records, turns, progress, lines)."""
    metadata = ModelMetadata.default("clipped_ppo")
    hyper = Hyperparameters.parse('{"rollout_steps": 128, "batch_size": 64}', "clipped_ppo")
    agent = build_agent(metadata, hyper, cars=CARS, seed=3)
    collector = Collector(RaceSim(ring, CARS, seed=3), on_the_road, agent, metadata, 1)
    records = Records(tmp_path_factory.mktemp("records"))
    turns: list[Iteration] = []
    lines: list[str] = []
    laps = iter([Lap(False, 40.0, 9.0, "off_track", 0), Lap(True, 100.0, 17.0, "lap_complete", 1)])

    def keep(turn: Iteration, progress: Progress) -> None:
        turns.append(turn)
        records.add(turn, progress)
        records.write_trace(turn.iteration, collector.trace, ring.length)

    trainer = Trainer(
        agent, collector, Budget(minutes=0, steps=256), lambda: Path("graph"), lambda _: next(laps), keep, lines.append
    )
    progress = trainer.run()
    agent.close()
    return records, turns, progress, lines


def test_it_ends_with_its_budget_and_counts_steps_and_episodes(trained):
    _, turns, progress, lines = trained
    assert [turn.steps for turn in turns] == [128, 256]
    assert progress.episodes == sum(len(turn.finished) for turn in turns) > 0
    assert len(lines) == 2
    assert "lap 40 %" in lines[0]
    assert "best lap 17.00 s" in lines[1]


def test_the_first_completed_lap_is_timed_and_the_best_is_known(trained):
    _, turns, progress, _ = trained
    assert progress.best == Lap(True, 100.0, 17.0, "lap_complete", 1)
    assert progress.best_iteration == 2
    assert turns[0].seconds < progress.first_lap_s <= turns[1].seconds


def test_records_hold_every_episode_and_step(trained):
    records, turns, _, _ = trained
    entries = TrainingMetrics.read(records.folder / METRICS).metrics
    played = [entry for entry in entries if entry.phase == "training"]
    assert len(played) == sum(len(turn.finished) for turn in turns)
    assert len({entry.episode for entry in played}) == len(played)
    assert [e.completion_percentage for e in entries if e.phase == "evaluation"] == [40, 100]
    rows = history.read(records.folder / HISTORY)
    assert [(row.iteration, row.lap_completed) for row in rows] == [(1, False), (2, True)]
    assert all(row.learning["entropy"] > 0 and np.isfinite(row.learning["kl"]) for row in rows)
    steps = list(read_trace(records.folder / "simtrace" / "1-iteration.csv"))
    assert len(steps) == 128
    returns: dict[int, float] = {}
    for turn in (0, 1):
        for row in read_trace(records.folder / "simtrace" / f"{turn}-iteration.csv"):
            returns[row.episode] = returns.get(row.episode, 0.0) + row.reward
    for entry in played:
        assert entry.reward_score == pytest.approx(returns[entry.episode - 1])


def test_restored_records_continue(trained, tmp_path: Path):
    records, turns, progress, _ = trained
    restored = Records(tmp_path / "new")
    restored.restore(records.folder)
    assert restored.progress() == replace(progress, seconds=turns[-1].seconds)
    assert restored.next_episode() == records.next_episode() > 0
    assert Progress.from_json(json.loads(json.dumps(progress.to_json()))) == progress


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (Lap(True, 100, 20, "lap_complete", 1), Lap(False, 99, 10, "off_track", 0)),
        (Lap(True, 100, 19, "lap_complete", 1), Lap(True, 100, 20, "lap_complete", 1)),
        (Lap(False, 60, 30, "off_track", 0), Lap(False, 50, 10, "off_track", 0)),
        (Lap(True, 100, 20, "lap_complete", 3), Lap(True, 100, 15, "lap_complete", 1)),
        (Lap(True, 100, 20, "lap_complete", 1), Lap(False, 100, 15, "off_track", 1)),
    ],
)
def test_laps_are_ranked_by_completion_then_time_then_progress(better: Lap, worse: Lap):
    assert better.rank() > worse.rank()


laps = st.builds(
    lambda laps, seconds, progress: Lap(laps > 0, progress, seconds, "", laps),
    st.integers(0, 2),
    st.sampled_from([10.0, 11.0]),
    st.sampled_from([20.0, 40.0]),
)


@given(st.lists(laps, min_size=1, max_size=6), st.randoms())
def test_the_best_is_that_of_the_store_whenever_its_laps_are_heard_of(driven: list[Lap], order: random.Random):
    progress = Progress()
    heard = list(enumerate(driven, 1))
    order.shuffle(heard)
    for iteration, lap in heard:
        progress.drove(iteration, lap)
    kept = best_of(Manifest(iteration, {}, asdict(lap), 0.0) for iteration, lap in enumerate(driven, 1))
    assert (progress.best_iteration, asdict(progress.best)) == (kept.iteration, kept.lap)


def test_the_budget_is_what_is_used_up_first():
    assert Budget(minutes=1).used(30, 10**9) == 0.5
    assert Budget(minutes=1, steps=100).used(30, 90) == 0.9
    assert Budget(minutes=0, steps=100).used(10**6, 25) == 0.25


def test_the_progress_line_says_where_the_training_is(trained):
    _, turns, progress, _ = trained
    line = progress_line(replace(turns[1], steps=1000), replace(progress, seconds=10.0), Budget(minutes=0, steps=4000))
    for wanted in ("iteration 2", "1,000 steps", "100 steps/s", "30 s left"):
        assert wanted in line, line
