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
from kuberacer.rollout.evaluation import MAX_STEPS, Evaluation, Racer
from kuberacer.rollout.external_sim import ExternalSim
from kuberacer.rollout.frame_stack import Observations
from kuberacer.rollout.seats import Seats
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
        self.together, self.races, self.laps = 1, rules.trials, 1
        self.external = sim
        self.sim = cast(RaceSim, sim)  # it has what is used of one here
        self.racers = [Racer(0, [Trial(1)])]
        self.running = np.ones(1, bool)
        self.reels = [Reel() for _ in range(self.races)]

    def run(self, reward: BatchedReward | None = None) -> list[list[Trial]]:
        try:
            for number, reel in enumerate(self.reels):
                self._drive(number, reel, reward)
        finally:
            self.external.close()
        return self.trials

    def _drive(self, number: int, reel: Reel, reward: BatchedReward | None) -> None:
        self.external.reset()
        self.seats = [Seats(self.sim, 0, 1)]
        entrant = self.entrants[0]
        self.observations = [Observations(self.seats[0], entrant.metadata, entrant.stack)]
        if number:
            self.racers[0].trials.append(Trial(number + 1))
        self.running[0] = True
        back = np.zeros(1, bool)
        while self.running[0]:
            away = self.external.returns
            _, cars = self._step(reward)
            if self.external.returns != away:
                raise UserError(
                    f"the simulator went away in trial {number + 1} and came back: the trial is lost",
                    "look at its log, and evaluate again",
                )
            self.observations[0].push(back)
            reel.add(cars, self._objects(0), self.sim.frames[:1])
            if len(self.racers[0].trial.rows) >= MAX_STEPS:
                raise UserError(
                    f"trial {number + 1} has not ended after {MAX_STEPS} steps", "give the simulator an end of episodes"
                )
