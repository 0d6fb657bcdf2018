"""Trials with penalties and resets, driven by policies that are known."""

import numpy as np
import pytest

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.rollout.evaluation import Evaluation, Rules, metrics
from kuberacer.sim.track import Track

METADATA = ModelMetadata.default("clipped_ppo")
STRAIGHT = 2  # an action of the default metadata


def straight_on(observations: np.ndarray) -> np.ndarray:
    return np.full(len(observations), STRAIGHT)


class Circle:
    """Steers the ring's radius: half of the time the 15 degrees that are too much, half of it straight on."""

    def __init__(self):
        self.step = 0

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        self.step += 1
        # 15 degrees at 1.1 m/s turn on 0.61 m: the ring's 3 m need a fifth of that.
        return np.full(len(observations), 3 if self.step % 5 == 0 else STRAIGHT)


def test_a_lap_without_incident(ring: Track):
    trials = Evaluation(Circle(), ring, METADATA, 1, Rules(trials=2)).run()
    assert [trial.status for trial in trials] == ["lap_complete", "lap_complete"]
    one = trials[0]
    assert one.resets == 0
    assert one.seconds == pytest.approx(len(one.rows) / 15)
    assert one.rows[-1].progress == 100
    assert [row.done for row in one.rows] == [False] * (len(one.rows) - 1) + [True]


def test_leaving_the_track_costs_its_penalty_and_a_reset(ring: Track):
    rules = Rules(trials=1, off_track_penalty=3.0, resets=4)
    (trial,) = Evaluation(straight_on, ring, METADATA, 1, rules).run()
    assert trial.status == "off_track", "the fifth time is one too many"
    assert trial.resets == 4
    assert trial.incidents["off_track"] == 5
    assert trial.penalty_seconds == 12.0
    assert trial.seconds == pytest.approx(len(trial.rows) / 15 + 12.0)
    assert trial.progress > 10, "it goes on from where it left the track"
    backs = [b.progress - a.progress for a, b in zip(trial.rows, trial.rows[1:], strict=False)]
    assert min(backs) > -3, "a reset does not lose the way driven"


def test_enough_resets_complete_any_lap(ring: Track):
    (trial,) = Evaluation(straight_on, ring, METADATA, 1, Rules(trials=1, resets=100)).run()
    assert trial.completed
    assert trial.resets > 4


def test_the_metrics_file_follows_the_trials(ring: Track):
    found = metrics(Evaluation(straight_on, ring, METADATA, 1, Rules(trials=2, resets=1)).run())
    assert [metric.trial for metric in found] == [1, 2]
    assert found[0].episode_status == "Off track"
    assert (found[0].reset_count, found[0].off_track_count, found[0].crash_count) == (1, 2, 0)
    assert found[1].start_time == found[0].metric_time == found[0].elapsed_time_in_milliseconds
    assert found[0].completion_percentage < 100


def test_two_evaluations_are_the_same(ring: Track):
    runs = [Evaluation(straight_on, ring, METADATA, 1, Rules(trials=2), seed=4).run() for _ in range(2)]
    assert runs[0] == runs[1]
    assert [r.to_line().split(",")[1:] for r in runs[0][0].rows] == [
        r.to_line().split(",")[1:] for r in runs[0][1].rows
    ]


def test_a_reward_is_asked_of_every_step(ring: Track):
    (trial,) = Evaluation(Circle(), ring, METADATA, 1, Rules(trials=1)).run(lambda values: values.progress * 2.0)
    assert [row.reward for row in trial.rows] == [row.progress * 2 for row in trial.rows]
