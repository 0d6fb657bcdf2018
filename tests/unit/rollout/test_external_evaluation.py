"""The evaluation in an external simulator drives what our own evaluation drives, when our simulator is behind it."""

from typing import Any

import numpy as np
import pytest

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.evaluation import MAX_STEPS, Evaluation
from kuberacer.rollout.external_evaluation import ExternalEvaluation, check_race, evaluation_in
from kuberacer.rollout.external_sim import ExternalSim, SimulatorGoneError
from kuberacer.rollout.trial import Rules
from kuberacer.sim.episode import STATUS_NAMES, SimConfig
from kuberacer.sim.params import params_dict
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import load_track

METADATA, TRACK = ModelMetadata.default("clipped_ppo"), load_track("pebble")


class OwnBehind:
    """Our simulator as a GymEnvironment; `dies`: at which step it does not answer."""

    def __init__(self, dies: int = 0):
        self.sim = RaceSim(TRACK, 1, config=SimConfig(start="line", max_steps=MAX_STEPS))
        self.steps, self.dies = 0, dies

    def _state(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        self.sim.render()
        over = self.sim.terminated[0] or self.sim.truncated[0]
        status = {name: bool(over) and self.sim.status_name(0) == name for name in STATUS_NAMES}
        grey = self.sim.frames[0, 0]
        return {METADATA.camera: grey}, {"reward_params": params_dict(self.sim.values, 0), "episode_status": status}

    def reset(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        self.sim.reset()
        return self._state()

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        self.steps += 1
        if self.steps == self.dies:
            raise SimulatorGoneError("away", "start it")
        self.sim.advance(*METADATA.decode(np.array([action])))
        pictures, info = self._state()
        return pictures, 0.0, bool(self.sim.terminated[0]), bool(self.sim.truncated[0]), info

    def close(self) -> None:
        pass


def brightness(observation: Any) -> np.ndarray:
    """A policy whose actions depend on what is seen."""
    return (observation.reshape(len(observation), -1).sum(axis=1) % len(METADATA.action_space)).astype(int)


def test_trials_are_those_of_our_own_evaluation_without_resets() -> None:
    entrant, rules = Entrant(brightness, METADATA), Rules(trials=2, resets=0)
    own = Evaluation([entrant], TRACK, rules).run()
    external = ExternalSim(lambda: OwnBehind(), TRACK, METADATA)
    evaluation = ExternalEvaluation(external, entrant, TRACK, Rules(trials=2, resets=5))
    (trials,) = evaluation.run(lambda values: np.ones(1))
    assert [trial.number for trial in trials] == [1, 2]
    for mine, theirs in zip(own[0], trials, strict=True):
        assert (mine.status, mine.seconds, mine.incidents) == (theirs.status, theirs.seconds, theirs.incidents)
        assert [(row.x, row.y, row.action) for row in mine.rows] == [(row.x, row.y, row.action) for row in theirs.rows]
    recordings = evaluation.recordings()
    assert [len(recording) for recording in recordings] == [len(trial.rows) for trial in trials]


def test_a_trial_in_which_the_simulator_went_away_is_no_trial() -> None:
    environments = iter([OwnBehind(dies=4), OwnBehind()])
    external = ExternalSim(lambda: next(environments), TRACK, METADATA)
    with pytest.raises(UserError, match="went away in trial 1"):
        ExternalEvaluation(external, Entrant(brightness, METADATA), TRACK, Rules()).run()


def test_what_it_is_not_told_by_us_is_refused() -> None:
    check_race("TIME_TRIAL", [TRACK], Rules())
    for race, tracks, rules in (
        ("OBJECT_AVOIDANCE", [TRACK], Rules()),
        ("TIME_TRIAL", [TRACK, TRACK], Rules()),
        ("TIME_TRIAL", [TRACK], Rules(continuous=True)),
    ):
        with pytest.raises(UserError, match="an external simulator drives time trials on one track"):
            check_race(race, tracks, rules)
    with pytest.raises(UserError, match="drives one car, not 2"):
        evaluation_in("here:1", [Entrant(brightness, METADATA)] * 2, TRACK, Rules())
