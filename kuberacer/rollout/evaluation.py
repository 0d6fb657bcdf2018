"""The evaluation: trials of one lap each, with penalties and resets, driven side by side as cars of one simulator."""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.formats.evaluation_metrics import EvaluationMetric
from kuberacer.formats.simtrace import TraceRow
from kuberacer.formats.status import LABELS
from kuberacer.rollout.collector import BatchedReward
from kuberacer.rollout.frame_stack import FrameStack
from kuberacer.rollout.laps import Policy
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track

MAX_STEPS = 15 * 600  # ten simulated minutes a trial
# What ends an episode of training is an incident of a trial: it costs a penalty and a reset.
INCIDENTS = ("off_track", "crashed", "immobilized", "reversed")


@dataclass(frozen=True)
class Rules:
    trials: int = 3
    off_track_penalty: float = 5.0  # seconds
    collision_penalty: float = 5.0  # seconds
    resets: int = 10  # a trial's; one more incident ends it

    def penalty(self, status: str) -> float:
        return self.collision_penalty if status == "crashed" else self.off_track_penalty


@dataclass
class Trial:
    """What became of one trial."""

    number: int  # from 1
    rows: list[TraceRow] = field(default_factory=list)
    incidents: dict[str, int] = field(default_factory=lambda: dict.fromkeys(INCIDENTS, 0))
    penalty_seconds: float = 0.0
    resets: int = 0
    status: str = "in_progress"

    @property
    def completed(self) -> bool:
        return self.status == "lap_complete"

    @property
    def seconds(self) -> float:
        """Simulated time with penalties."""
        return self.rows[-1].tstamp

    @property
    def progress(self) -> float:
        return self.rows[-1].progress

    def metric(self, start_ms: int) -> EvaluationMetric:
        """DeepRacer's entry. start_ms: when it began by the race's clock, on which trials follow one another."""
        elapsed = round(1000 * self.seconds)
        return EvaluationMetric(
            completion_percentage=100 if self.completed else min(99, int(self.progress)),
            metric_time=start_ms + elapsed,
            start_time=start_ms,
            elapsed_time_in_milliseconds=elapsed,
            episode_status=LABELS[self.status],
            crash_count=self.incidents["crashed"],
            immobilized_count=self.incidents["immobilized"],
            off_track_count=self.incidents["off_track"],
            reversed_count=self.incidents["reversed"],
            reset_count=self.resets,
            trial=self.number,
        )


def metrics(trials: list[Trial]) -> list[EvaluationMetric]:
    """The evaluation metrics file's entries."""
    start, found = 0, []
    for trial in trials:
        found.append(trial.metric(start))
        start = found[-1].metric_time
    return found


class Evaluation:
    """One policy's trials on one track. `run` returns them; `watch`, when given, sees the first trial's every step."""

    def __init__(self, policy: Policy, track: Track, metadata: ModelMetadata, stack: int, rules: Rules, seed: int = 0):
        self.policy, self.track, self.metadata, self.rules = policy, track, metadata, rules
        self.sim = RaceSim(track, rules.trials, seed=seed, config=SimConfig(start="line", max_steps=MAX_STEPS))
        self.sim.reset()
        self.sim.render()
        self.stack = FrameStack(self.sim.frames, stack)
        self.trials = [Trial(number + 1) for number in range(rules.trials)]

    def run(
        self, reward: BatchedReward | None = None, watch: Callable[[RaceSim, Trial], None] | None = None
    ) -> list[Trial]:
        running = np.ones(self.rules.trials, bool)
        while running.any():
            watched = running[0]
            back = self._step(running, reward)
            if watch is not None and watched:
                watch(self.sim, self.trials[0])
            self.sim.render(running)
            self.stack.push(self.sim.frames, back)
        return self.trials

    def _step(self, running: np.ndarray, reward: BatchedReward | None) -> np.ndarray:
        """One step of the running trials (trials,) bool, written in place; returns which cars were sent back."""
        sim = self.sim
        actions = self.policy(self.stack.observations)
        steering, speed = self.metadata.decode(actions)
        sim.advance(steering, np.where(running, speed, 0.0))
        rewards = reward(sim.values) if reward else np.zeros(sim.cars)
        back = np.zeros(sim.cars, bool)
        for car in np.flatnonzero(running).tolist():
            trial = self.trials[car]
            trial.status = sim.status_name(car)
            incident = trial.status in INCIDENTS
            if incident:
                trial.incidents[trial.status] += 1
            ended = trial.status != "in_progress" and not (incident and trial.resets < self.rules.resets)
            trial.rows.append(self._row(car, trial, actions[car], steering[car], speed[car], rewards[car], ended))
            running[car], back[car] = not ended, incident and not ended
        for status in INCIDENTS:
            here = back & np.array([trial.status == status for trial in self.trials])
            if here.any():
                self._send_back(here, self.rules.penalty(status))
        return back

    def _send_back(self, cars: np.ndarray, penalty: float) -> None:
        self.sim.recover(cars, penalty)
        for car in np.flatnonzero(cars).tolist():
            self.trials[car].resets += 1
            self.trials[car].penalty_seconds += penalty

    def _row(
        self, car: int, trial: Trial, action: np.ndarray, steering: float, speed: float, reward: float, ended: bool
    ) -> TraceRow:
        values = self.sim.values
        return TraceRow(
            episode=trial.number - 1,
            steps=int(values.steps[car]),
            x=float(values.x[car]),
            y=float(values.y[car]),
            yaw=float(values.heading[car]),
            steer=float(steering),
            throttle=float(speed),
            action=tuple(float(a) for a in action) if np.ndim(action) else int(action),
            reward=float(reward),
            done=ended,
            all_wheels_on_track=bool(values.all_wheels_on_track[car]),
            progress=float(values.progress[car]),
            closest_waypoint=int(values.closest_waypoints[car, 1]),
            track_len=self.track.length,
            tstamp=float(values.sim_time[car]),
            episode_status=trial.status,
            pause_duration=trial.penalty_seconds,
            obstacle_crash_counter=trial.incidents["crashed"],
            wall_clock=float(values.sim_time[car]),
        )
