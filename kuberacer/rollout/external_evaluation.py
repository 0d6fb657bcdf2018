"""The evaluation in a simulator that is somebody else's program: one car, one trial after the other, in real time.

The simulator says where a trial starts and when it ends: a trial is one of its episodes, so that a car that leaves the
road is not put back by us.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from kuberacer.errors import UserError
from kuberacer.report.recording import Reel
from kuberacer.rollout.collector import BatchedReward
from kuberacer.rollout.deepracer_sim import connect
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.evaluation import MAX_STEPS, Evaluation
from kuberacer.rollout.external_sim import ExternalSim
from kuberacer.rollout.trial import Rules, Trial
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track


def check_race(race_type: str, tracks: Sequence[Track], rules: Rules) -> None:
    """Raises UserError for what such a simulator is not told by us: it races on what it was started with."""
    what = None
    if race_type != "TIME_TRIAL":
        what = f"the race {race_type}"
    elif len(tracks) > 1:
        what = f"{len(tracks)} tracks"
    elif rules.continuous:
        what = "IS_CONTINUOUS"
    if what:
        raise UserError(
            f"an external simulator drives time trials on one track, not {what}",
            "evaluate that without KUBERACER_SIMULATORS",
        )


def evaluation_in(address: str, entrants: Sequence[Entrant], track: Track, rules: Rules) -> "ExternalEvaluation":
    """In the DeepRacer simulator at host:port. Raises UserError when it does not answer."""
    if len(entrants) != 1:
        raise UserError(
            f"an external simulator drives one car, not {len(entrants)}", "evaluate without KUBERACER_SIMULATORS"
        )
    print(f"evaluates in the simulator at {address}", flush=True)
    return ExternalEvaluation(connect(address, track, entrants[0].metadata), entrants[0], track, rules)


class ExternalEvaluation(Evaluation):
    """As Evaluation; `run` drives the trials one by one."""

    def __init__(self, sim: ExternalSim, entrant: Entrant, track: Track, rules: Rules):
        self.entrants, self.track, self.rules = [entrant], track, replace(rules, resets=0)
        self.together = self.races = self.laps = 1
        self.external = sim
        self.sim = cast(RaceSim, sim)  # it has what is used of one here
        self.driven: list[Trial] = []

    @property
    def trials(self) -> list[list[Trial]]:
        return [self.driven]

    def run(self, reward: BatchedReward | None = None) -> list[list[Trial]]:
        reels: list[Reel] = []
        try:
            for number in range(1, self.rules.trials + 1):
                self.external.reset()
                self._line_up(film=True)
                self.racers[0].trials = [Trial(number)]
                super().run(reward)
                self.driven += self.racers[0].trials
                reels += self.reels
        finally:
            self.external.close()
        self.reels = reels
        return self.trials

    def _step(self, reward: BatchedReward | None) -> tuple[np.ndarray, np.ndarray]:
        returns, trial = self.external.returns, self.racers[0].trial
        found = super()._step(reward)
        if self.external.returns != returns:
            raise UserError(
                f"the simulator went away in trial {trial.number} and came back: the trial is lost",
                "look at its log, and evaluate again",
            )
        if len(trial.rows) >= MAX_STEPS:
            raise UserError(
                f"trial {trial.number} has not ended after {MAX_STEPS} steps", "give the simulator an end of episodes"
            )
        return found
