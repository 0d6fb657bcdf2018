"""The training loop over rollout workers: gather a quota, learn, announce the next policy, keep a checkpoint.

While it learns, the workers play on with the policy before: at most one quota waits in Redis.
"""

import contextlib
import math
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach.agent import Agent
from kuberacer.coach.frozen_names import CAR_OUTPUT, input_names
from kuberacer.coach.replay_agent import ReplayAgent
from kuberacer.rollout.announcement import Announcement
from kuberacer.rollout.assemble import Episodes, PlayedElsewhere, segments
from kuberacer.rollout.broker import TrainerBroker
from kuberacer.rollout.fragment import Fragment
from kuberacer.rollout.gather import Gatherer
from kuberacer.rollout.handout import Handout, Setup
from kuberacer.rollout.intake import Intake
from kuberacer.rollout.laps import Lap
from kuberacer.rollout.trainer import Budget, Iteration, Progress, progress_line
from kuberacer.rollout.workers import Workers
from kuberacer.store.client import AwayError
from kuberacer.store.persevere import persevere

FRAGMENT_TIMES = (4, 32)  # steps of a fragment: fewer cost too many frames to bootstrap from, more come too late
PPO_LAG, REPLAY_LAG = 1, 8
LAST_LAP_S = 60.0


def fragment_time(quota: int, cars: int, workers: int) -> int:
    """Steps of every fragment, so that an iteration has at least eight of each worker where that is sensible: what a
    worker that is three times as slow as the others sends is still young enough then. (64 workers, of which a tenth
    were slow and one was killed every 10 s: four in an iteration gave 0.91 of all workers' steps, eight 0.93.)"""
    least, most = FRAGMENT_TIMES
    return max(least, min(most, 2 ** int(math.log2(max(1, quota / (8 * cars * workers))))))


@dataclass
class DistributedTrainer:
    """agent.cars is the number of cars of each worker.

    freeze(same) writes the car's graph; same: a file that already holds it. keep(Iteration, Progress, trace) puts the
    checkpoint where it lasts, and told(iteration, Lap) a lap that comes later; film(iteration, fragments) may make a
    video of what was played, and saw(fragment) hears of each at once. drive_laps is only asked when no evaluator
    answers at the end.
    """

    agent: Agent
    broker: TrainerBroker
    handout: Handout
    workers: Workers
    count: int
    setup: Setup
    budget: Budget
    work: Path
    freeze: Callable[[Path | None], Path]
    drive_laps: Callable[[Path], Lap]
    keep: Callable[[Iteration, Progress, PlayedElsewhere], None]
    told: Callable[[int, Lap], None]
    film: Callable[[int, list[Fragment]], None]
    say: Callable[[str], None]
    saw: Callable[[Fragment], None] = lambda fragment: None
    progress: Progress = field(default_factory=Progress)
    episodes: Episodes = field(default_factory=Episodes)
    lag: int | None = None
    session: str = field(default_factory=lambda: secrets.token_hex(8))

    def run(self) -> Progress:
        """Until the budget is used up. Raises UserError."""
        self.time = fragment_time(self.agent.quota(), self.agent.cars, self.count)
        if self.lag is None:
            self.lag = REPLAY_LAG if isinstance(self.agent, ReplayAgent) else PPO_LAG
        intake: Intake[Fragment] = Intake(self.session, self.time * self.agent.cars, self.lag)
        self.gatherer = Gatherer(self.broker, intake, self.workers, self.say, self._fits, self.saw)
        self._setup_digest = persevere("the rollouts' setup", lambda: self.handout.setup(self.setup), self.say)
        self.broker.clear()
        self._announce()
        self.workers.launch(self.count)
        try:
            while True:
                turn = self._turn()
                if self.budget.ends(turn, self.progress.seconds):
                    break
                self._scale()
            self._wait_for_last_lap()
            with contextlib.suppress(AwayError):
                self.handout.close()
        finally:
            self._stop()
        return self.progress

    def _turn(self) -> Iteration:
        clocks = [time.monotonic()]

        def lapse() -> float:
            clocks.append(time.monotonic())
            return clocks[-1] - clocks[-2]

        fragments = self.gatherer.gather(self._quota(), self.agent.iteration)
        play_seconds = lapse()
        learning = self.agent.learn_segments(segments(fragments))
        learning |= self._measures(fragments)
        learn_seconds = lapse()
        self._announce()
        finished, trace = self.episodes.of(fragments)
        self.progress.next_episode = self.episodes.next
        self.freeze(self._car_graph)
        freeze_seconds = lapse()
        self.progress.seconds += play_seconds + learn_seconds + freeze_seconds
        self.progress.episodes += len(finished)
        turn = Iteration(
            iteration=self.agent.iteration,
            seconds=self.progress.seconds,
            steps=self.agent.total_steps,
            episodes=self.progress.episodes,
            finished=finished,
            lap=None,
            learning=learning,
            play_seconds=play_seconds,
            learn_seconds=learn_seconds,
            lap_seconds=0.0,
            freeze_seconds=freeze_seconds,
        )
        self._hear_laps()
        self.keep(turn, self.progress, trace)
        self.film(turn.iteration, fragments)
        self.progress.seconds += lapse()
        line = [progress_line(turn, self.progress, self.budget), f"{self.workers.alive()} workers"]
        dropped = self.gatherer.intake.summary()
        self.say(" · ".join([*line, *([f"dropped {dropped}"] if dropped else [])]))
        return turn

    def _quota(self) -> int:
        """What the agent wants, in whole fragments."""
        steps = self.gatherer.intake.fragment_steps
        return steps * math.ceil(self.agent.quota() / steps)

    def _fits(self, fragment: Fragment) -> bool:
        """Whether it is of this agent's cars, sensors and actions."""
        return (
            fragment.cars == self.agent.cars
            and fragment.shapes == tuple(given.shape for given in self.agent.inputs)
            and (fragment.actions.ndim == 3) == self.agent.metadata.continuous
            and fragment.policy.shape[2] == (2 if self.agent.metadata.continuous else self.agent.explore().actions)
        )

    def _measures(self, fragments: list[Fragment]) -> dict[str, float]:
        """What the rollouts were like, for the history."""
        lags = [self.agent.iteration - 1 - fragment.tag.policy for fragment in fragments]
        counts = self.gatherer.intake.counts
        return {
            "accepted_steps": float(sum(fragment.steps for fragment in fragments)),
            "policy_lag": float(np.mean(lags)),
            "reward_us": 1e6
            * sum(fragment.reward_seconds for fragment in fragments)
            / max(1, sum(fragment.steps for fragment in fragments)),
            "workers": float(len({fragment.tag.worker for fragment in fragments})),
            **{f"fragments_{verdict.name.lower()}": float(number) for verdict, number in counts.items()},
        }

    def _announce(self) -> None:
        """Publish the policy as it is now, and tell everyone."""
        graph = self.work / "rollout.pb"
        outputs = self.agent.export_for_rollouts(graph)
        self._car_graph = graph if outputs == [CAR_OUTPUT[self.agent.metadata.algorithm]] else None
        version = self.agent.iteration
        digest = persevere(f"policy {version}", lambda: self.handout.policy(graph), self.say)
        laps = ""
        if self.agent.noisy:  # the policy that is played is not the one whose laps count
            car = self._car_graph = self.work / "car.pb"
            self.agent.export_frozen(car)
            laps = persevere(f"car's graph {version}", lambda: self.handout.policy(car), self.say)
        assert self.lag is not None
        self.broker.announce(
            Announcement(
                session=self.session,
                version=version,
                graph=digest,
                given=input_names(self.agent.metadata),
                outputs=tuple(outputs),
                explore=self.agent.explore(),
                setup=self._setup_digest,
                lag=self.lag,
                time=self.time,
                pending=self._quota() // (self.time * self.agent.cars),
                laps=laps,
            )
        )
        with contextlib.suppress(AwayError):  # what is left now goes next time
            self.handout.tidy()

    def _hear_laps(self) -> int:
        """Take in what the evaluator has found; the newest version among it, 0 when there was nothing."""
        newest = 0
        for entry in self.broker.laps():
            found = read_lap(entry, self.session)
            if found is None or found[0] > self.agent.iteration:
                continue
            version, lap = found
            newest = max(newest, version)
            self.progress.drove(version, lap)
            self.told(version, lap)
        return newest

    def _wait_for_last_lap(self) -> None:
        """The last policy may be the best one. When no evaluator answers, its laps are driven here."""
        until = time.monotonic() + LAST_LAP_S
        while self._hear_laps() < self.agent.iteration:
            if time.monotonic() > until:
                self.say("no evaluator answers: the trainer drives the last laps itself")
                lap = self.drive_laps(self.freeze(None))
                self.progress.drove(self.agent.iteration, lap)
                self.told(self.agent.iteration, lap)
                return
            time.sleep(0.1)

    def _scale(self) -> None:
        with contextlib.suppress(AwayError):
            wanted = self.handout.workers(self.count)
            if wanted != self.count:
                self.say(f"{wanted} rollout workers instead of {self.count}")
                self.count = wanted
                self.workers.scale(wanted)

    def _stop(self) -> None:
        """Tell the workers that it is over, as far as Redis can still be reached."""
        self.gatherer.close()
        if self.broker.announced is not None:
            self.broker.patience_s = 1.0
            with contextlib.suppress(Exception):
                self.broker.announce(replace(self.broker.announced, stop=True))


def read_lap(entry: dict[str, Any], session: str) -> tuple[int, Lap] | None:
    """(version, Lap) of what an evaluator says; None for what is no lap of this session."""
    try:
        if entry["session"] != session:
            return None
        lap = entry["lap"]
        found = Lap(
            bool(lap["completed"]), float(lap["progress"]), float(lap["seconds"]), str(lap["status"]), int(lap["laps"]),
            None if lap.get("reward") is None else float(lap["reward"]),
        )  # fmt: skip
        return int(entry["version"]), found
    except (KeyError, TypeError, ValueError):
        return None
