"""The evaluation: entrants drive trials of one lap, or one race of several laps, with penalties and resets.

Trials are driven side by side as cars of one simulator; the cars of one trial share the track.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kuberacer.errors import UserError
from kuberacer.formats.simtrace import TraceRow
from kuberacer.report.recording import CAR, Recording, Reel
from kuberacer.rollout.collector import BatchedReward
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.frame_stack import Observations
from kuberacer.rollout.seats import Seats
from kuberacer.rollout.simulator import equipment
from kuberacer.rollout.trial import INCIDENTS, Rules, Trial
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.step_kernels import POLICY_STEP
from kuberacer.sim.track import Track

MAX_STEPS = 15 * 600  # ten simulated minutes a trial
TIME_TRIAL = SimConfig()


@dataclass
class Racer:
    """One car of the simulator, with its trials so far; the last one is being driven."""

    car: int
    trials: list[Trial]
    pause: int = 0  # steps for which it has still to stand
    stood_for: str = ""  # the incident
    resets: int = 0

    @property
    def trial(self) -> Trial:
        return self.trials[-1]


class Evaluation:
    """The entrants' trials on one track. After `run`, `trials` has those of each entrant and `reels` the films."""

    def __init__(
        self,
        entrants: Sequence[Entrant],
        track: Track,
        rules: Rules,
        config: SimConfig = TIME_TRIAL,
        seed: int = 0,
        film: bool = False,
    ):
        """film: keep what the first entrant's camera saw. Raises UserError for a race that cannot be driven."""
        if rules.continuous and not track.closed:
            raise UserError(f"{track.name} is no loop: one lap does not lead into the next", "unset IS_CONTINUOUS")
        self.entrants, self.track, self.rules = list(entrants), track, rules
        self.together = len(self.entrants)
        self.races = 1 if rules.continuous else rules.trials
        self.laps = rules.trials if rules.continuous else 1
        scene = replace(config.scene, together=self.together)
        config = replace(config, start="line", max_steps=MAX_STEPS * self.laps, scene=scene)
        cars, colors = self.races * self.together, [entrant.color for entrant in entrants]
        self.sim = RaceSim(
            track,
            cars,
            seed=seed,
            config=config,
            sensors=equipment([entrant.metadata for entrant in entrants]),
            colors=colors,
        )
        self.sim.reset()
        self.sim.render()
        self._line_up(film)

    def _line_up(self, film: bool) -> None:
        """The simulator's cars stand at the start: their racers, what they see, and nothing driven so far."""
        self.racers = [Racer(car, [Trial(car // self.together + 1)]) for car in range(self.sim.cars)]
        self.running: np.ndarray = np.ones(self.sim.cars, bool)
        self.seats = [Seats(self.sim, number, self.together) for number in range(self.together)]
        self.observations = [
            Observations(seats, e.metadata, e.stack) for seats, e in zip(self.seats, self.entrants, strict=True)
        ]
        self.reels = [Reel() for _ in range(self.races)] if film else []
        self._shown = np.zeros(self.sim.cars, CAR)  # of a car that has ended, where and when it did

    @property
    def trials(self) -> list[list[Trial]]:
        """Of each entrant, in order."""
        return [
            [trial for racer in self.racers[number :: self.together] for trial in racer.trials]
            for number in range(self.together)
        ]

    def run(self, reward: BatchedReward | None = None) -> list[list[Trial]]:
        """Drive until all cars have ended; reward: for the traces. Returns `trials`."""
        while self.running.any():
            filmed = self.running.reshape(self.races, -1).max(axis=1)
            back, cars = self._step(reward)
            self.sim.render(self.running)
            for number, observations in enumerate(self.observations):
                observations.push(back[number :: self.together])
            for race, reel in enumerate(self.reels):
                if filmed[race]:
                    first = race * self.together
                    frames = self.sim.frames[first : first + 1]
                    reel.add(cars[first : first + self.together], self._objects(first), frames)
        return self.trials

    def recordings(self, leaderboard: str = "", race_type: str = "TIME_TRIAL") -> Iterator[Recording]:
        """What was filmed, a race each, one at a time: frames are large."""
        names, colors = [e.name for e in self.entrants], [e.color for e in self.entrants]
        about = {"leaderboard": leaderboard, "race_type": race_type}
        for reel in self.reels:
            yield reel.recording(self.track, names, colors, laps=self.laps, **about)

    def _step(self, reward: BatchedReward | None) -> tuple[np.ndarray, np.ndarray]:
        """One step of the running cars. Returns which were sent back, (cars,) bool, and what is filmed, (cars,) CAR."""
        sim, actions = self.sim, [np.empty(0)] * self.sim.cars
        steering, speed = np.zeros(sim.cars, np.float32), np.zeros(sim.cars, np.float32)
        for number, (entrant, seen) in enumerate(zip(self.entrants, self.observations, strict=True)):
            chosen = entrant.policy(seen.current)
            steering[number :: self.together], speed[number :: self.together] = entrant.metadata.decode(chosen)
            actions[number :: self.together] = list(chosen)
        stands = np.array([racer.pause > 0 for racer in self.racers])
        sim.absent[:] = stands | ~self.running
        sim.advance(steering, np.where(self.running & ~stands, speed, 0.0))
        rewards = reward(sim.values) if reward else np.zeros(sim.cars)
        back = np.zeros(sim.cars, bool)
        for racer in self.racers:
            car = racer.car
            if self.running[car]:
                trial = racer.trial
                status, ended = self._judge(racer)
                worth = 0.0 if status == "pause" else float(rewards[car])
                trial.rows.append(self._row(racer, status, actions[car], steering[car], speed[car], worth, ended))
                back[car] = status in INCIDENTS and not ended
                self._shown[car] = self._filmed(racer)
        self._send_back(back)
        self._go_on()
        return back, self._shown

    def _judge(self, racer: Racer) -> tuple[str, bool]:
        """(the step's status in the trace, whether the trial has ended with it)."""
        trial, status = racer.trial, self.sim.status_name(racer.car)
        if racer.pause and status != "time_up":
            racer.pause -= 1
            trial.penalties[racer.stood_for] += POLICY_STEP
            return "pause", False
        trial.status = status
        incident = status in INCIDENTS
        if incident:
            trial.incidents[status] += 1
        return status, status != "in_progress" and not (incident and racer.resets < self.rules.resets)

    def _send_back(self, back: np.ndarray) -> None:
        """Put the cars that had an incident back on the road, where they stand until their penalty has run."""
        if back.any():
            self.sim.recover(back, behind=self.rules.reset_behind)
        for racer in self.racers:
            if back[racer.car]:
                racer.resets += 1
                racer.trial.resets += 1
                racer.stood_for, racer.pause = racer.trial.status, self.rules.pause(racer.trial.status)
        stands = np.array([racer.pause > 0 for racer in self.racers])
        if stands.any():
            self.sim.stop(stands)

    def _go_on(self) -> None:
        """What follows an ended trial: the next lap of a continuous race, or nothing."""
        next_lap = np.zeros(self.sim.cars, bool)
        for racer in self.racers:
            if not self.running[racer.car] or not racer.trial.rows[-1].done:
                continue
            if self.rules.continuous and racer.trial.completed and racer.trial.number < self.rules.trials:
                next_lap[racer.car] = True
                racer.trials.append(Trial(racer.trial.number + 1, began=racer.trial.rows[-1].tstamp))
            else:
                self.running[racer.car] = False
        if next_lap.any():
            self.sim.next_lap(next_lap)

    def _objects(self, car: int) -> np.ndarray:
        """Boxes and bots on a car's track (K,)."""
        return self.sim.objects[car, : self.sim.objects.shape[1] - self.together + 1]

    def _filmed(self, racer: Racer) -> tuple:
        """A value of recording.CAR."""
        values, car, trial = self.sim.values, racer.car, racer.trial
        clock = float(values.sim_time[car])
        return (
            values.x[car], values.y[car], values.heading[car], values.speed[car], values.steering_angle[car],
            values.progress[car], clock - trial.began, clock, trial.number if self.rules.continuous else 1,
            racer.resets, sum(trial.penalty_seconds for trial in racer.trials), self.sim.status[car],
        )  # fmt: skip

    def _row(
        self, racer: Racer, status: str, action: np.ndarray, steering: float, speed: float, reward: float, ended: bool
    ) -> TraceRow:
        values, car, trial = self.sim.values, racer.car, racer.trial
        pause = racer.pause
        if status in INCIDENTS and not ended:
            pause = self.rules.pause(status)
        return TraceRow(
            episode=trial.number - 1,
            steps=int(values.steps[car]),
            x=float(values.x[car]),
            y=float(values.y[car]),
            yaw=float(values.heading[car]),
            steer=float(steering),
            throttle=float(speed),
            action=tuple(float(a) for a in action) if np.ndim(action) else int(action),
            reward=reward,
            done=ended,
            all_wheels_on_track=bool(values.all_wheels_on_track[car]),
            progress=float(values.progress[car]),
            closest_waypoint=int(values.closest_waypoints[car, 1]),
            track_len=self.track.length,
            tstamp=float(values.sim_time[car]),
            episode_status=status,
            pause_duration=pause * POLICY_STEP,
            obstacle_crash_counter=trial.incidents["crashed"],
            wall_clock=float(values.sim_time[car]),
        )
