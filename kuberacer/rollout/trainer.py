"""The training loop: play, learn, drive a deterministic lap, keep a checkpoint, say where it is."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from kuberacer.coach.agent import Agent
from kuberacer.coach.sensors import Observation
from kuberacer.rollout.episodes import Episode
from kuberacer.rollout.laps import Lap


@dataclass(frozen=True)
class Budget:
    """When a training ends: after so many minutes or environment steps, whichever comes first (0: no such limit)."""

    minutes: float
    steps: int = 0
    episodes: int = 10**9
    mean_return: float = float("inf")

    def used(self, seconds: float, steps: int) -> float:
        """The used share of the budget; training ends at 1."""
        shares = [seconds / (60 * self.minutes) if self.minutes else 0.0, steps / self.steps if self.steps else 0.0]
        return max(shares)

    def ends(self, turn: "Iteration", seconds: float) -> bool:
        """Whether the training ends with this iteration, after so many seconds in all."""
        mean = turn.mean_return
        return (
            self.used(seconds, turn.steps) >= 1
            or turn.episodes >= self.episodes
            or (mean is not None and mean >= self.mean_return)
        )


@dataclass(frozen=True)
class Iteration:
    """One turn of the loop, as the history, the progress line and the plots need it."""

    iteration: int
    seconds: float  # of training so far, over all starts of the run
    steps: int  # environment steps so far
    episodes: int  # finished so far
    finished: list[Episode]
    lap: Lap | None  # None: it is still being driven, elsewhere
    learning: dict[str, float]  # loss, kl, entropy … as the agent reports them; reward_us: of a car's step
    play_seconds: float
    learn_seconds: float
    lap_seconds: float
    freeze_seconds: float = 0.0
    save_seconds: float = 0.0  # these two are known when the checkpoint is kept
    wait_seconds: float = 0.0

    @property
    def mean_return(self) -> float | None:
        return float(np.mean([e.reward for e in self.finished])) if self.finished else None

    @property
    def mean_progress(self) -> float | None:
        told = [e.progress for e in self.finished if e.progress is not None]
        return float(np.mean(told)) if told else None

    @property
    def laps(self) -> int:
        return sum(e.status == "lap_complete" for e in self.finished)


@dataclass
class Progress:
    """What a resumed training goes on from."""

    seconds: float = 0.0
    episodes: int = 0
    first_lap_s: float | None = None
    best: Lap | None = None
    best_iteration: int | None = None
    next_episode: int = 0  # number of the next one that begins, where others play; 0: not counted here
    pretrained: dict[str, Any] | None = None  # the model that it began with: checkpoint, iteration, steps, from …

    def drove(self, iteration: int, lap: Lap) -> None:
        """Take in the laps of an iteration's policy. The best is that of the store: among equals, the later one."""
        best = (self.best.rank(), self.best_iteration or 0) if self.best else None
        if best is None or (lap.rank(), iteration) > best:
            self.best, self.best_iteration = lap, iteration
        if lap.completed and self.first_lap_s is None:
            self.first_lap_s = self.seconds

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> "Progress":
        best = data.get("best")
        return cls(**{**data, "best": Lap(**best) if best else None})


class Plays(Protocol):
    """What plays with the agent: a Collector, or an EnvironmentCollector."""

    @property
    def seen(self) -> Observation:
        """What is seen now."""

    @property
    def reward_us(self) -> float: ...

    def play(self) -> list[Episode]:
        """Play one training phase's share; the episodes that ended in it."""


@dataclass
class Trainer:
    """agent and collector play and learn; `drive_laps` measures the graph that `freeze` has just written.

    keep(Iteration, Progress) puts the checkpoint where it lasts: the loop knows no store. turn_steps, turn_episodes: a
    turn of the loop plays and learns by phases until it has played so much; 0: one phase. line: says a turn in words.
    """

    agent: Agent
    collector: Plays
    budget: Budget
    freeze: Callable[[], Path]
    drive_laps: Callable[[Path], Lap]
    keep: Callable[[Iteration, Progress], None]
    say: Callable[[str], None]
    progress: Progress = field(default_factory=Progress)
    turn_steps: int = 0
    turn_episodes: int = 0
    line: "Callable[[Iteration, Progress, Budget], str]" = field(default_factory=lambda: progress_line)

    def run(self) -> Progress:
        while True:
            turn = self._turn()
            if self._finished(turn):
                return self.progress

    def _turn(self) -> Iteration:
        clocks = [time.monotonic()]

        def lapse() -> float:
            clocks.append(time.monotonic())
            return clocks[-1] - clocks[-2]

        finished: list[Episode] = []
        play_seconds = learn_seconds = 0.0
        steps_before, turning = self.agent.total_steps, True
        while turning:
            finished += self.collector.play()
            play_seconds += lapse()
            learning = self.agent.learn(self.collector.seen) | {"reward_us": self.collector.reward_us}
            learn_seconds += lapse()
            steps = self.agent.total_steps - steps_before
            turning = steps < self.turn_steps or len(finished) < self.turn_episodes
        graph = self.freeze()
        freeze_seconds = lapse()
        lap = self.drive_laps(graph)
        lap_seconds = lapse()
        # The clock of the training stands still between a kill and the resume.
        self.progress.seconds += play_seconds + learn_seconds + freeze_seconds + lap_seconds
        self.progress.episodes += len(finished)
        self.progress.drove(self.agent.iteration, lap)
        turn = Iteration(
            iteration=self.agent.iteration,
            seconds=self.progress.seconds,
            steps=self.agent.total_steps,
            episodes=self.progress.episodes,
            finished=finished,
            lap=lap,
            learning=learning,
            play_seconds=play_seconds,
            learn_seconds=learn_seconds,
            lap_seconds=lap_seconds,
            freeze_seconds=freeze_seconds,
        )
        self.keep(turn, self.progress)
        self.progress.seconds += lapse()
        self.say(self.line(turn, self.progress, self.budget))
        return turn

    def _finished(self, turn: Iteration) -> bool:
        return self.budget.ends(turn, self.progress.seconds)


def progress_line(turn: Iteration, progress: Progress, budget: Budget) -> str:
    """One line an iteration: episodes, return, completion, best lap, steps/s, time left."""
    used = budget.used(progress.seconds, turn.steps)
    left = progress.seconds * (1 - used) / used if used else 0.0
    speed = turn.steps / progress.seconds
    parts = [f"iteration {turn.iteration}", f"{turn.episodes} episodes", f"{turn.steps:,} steps"]
    if turn.mean_return is not None:
        parts.append(f"return {turn.mean_return:.1f}")
        parts.append(f"completion {turn.mean_progress:.0f} %")
    if turn.lap is not None:
        parts.append(f"lap {turn.lap.seconds:.2f} s" if turn.lap.completed else f"lap {turn.lap.progress:.0f} %")
    if progress.best is not None and progress.best.completed:
        parts.append(f"best lap {progress.best.seconds:.2f} s")
    parts += [f"{speed:.0f} steps/s", f"{max(0, left):.0f} s left"]
    return " · ".join(parts)
