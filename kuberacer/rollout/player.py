"""A worker's cars: plays fragments of T steps, one after the other, with whatever policy it is given for each."""

import time
from collections.abc import Callable
from typing import Protocol

import numpy as np

from kuberacer.coach.choose import Explore
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import Observation
from kuberacer.rollout.external_sim import ExternalSim
from kuberacer.rollout.fragment import ENDS, Fragment, Tag
from kuberacer.rollout.frame_stack import Observations
from kuberacer.rollout.rivals import AmongRivals
from kuberacer.rollout.trace import TraceRecorder
from kuberacer.sim.camera_noise import CameraNoise
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.race_sim import RaceSim

BatchedReward = Callable[[ParamArrays], np.ndarray]


class Asked(Protocol):
    """A policy that explores."""

    explore: Explore

    def ask(self, observation: Observation) -> tuple[np.ndarray, np.ndarray | None]: ...


class Player:
    """Cars of one simulator. An episode that a fragment's end cuts goes on in the next one.

    each_step is called before every step: it may wait, to keep a pace, and may raise to leave.
    """

    def __init__(
        self,
        sim: RaceSim | AmongRivals | ExternalSim,
        reward: BatchedReward,
        metadata: ModelMetadata,
        stack: int,
        rng: np.random.Generator,
        each_step: Callable[[], None] = lambda: None,
    ):
        self.sim, self.reward, self.metadata, self.rng, self.each_step = sim, reward, metadata, rng, each_step
        self.episode = np.arange(sim.cars)
        self.next_episode = sim.cars
        self.returns = np.zeros(sim.cars)
        self.started = np.full(sim.cars, time.time())
        # A randomised camera's frames travel clean: the trainer draws their noise anew.
        self.noise = CameraNoise(sim.seed) if sim.config.randomization else None
        if (self.noise is not None) != sim.clean:
            raise ValueError("a simulator with camera noise has to draw clean frames")
        self.seen = sim.frames if self.noise is None else np.empty_like(sim.frames)
        self.drawn = np.zeros(sim.cars, np.int64)
        sim.reset()
        self._look()
        self.observations = Observations(sim, metadata, stack, self.seen)

    def play(self, policy: Asked, steps: int, tag: Tag) -> Fragment:
        sim, explore = self.sim, policy.explore
        frames = np.empty((steps + 1, *sim.frames.shape), np.uint8)
        history = self.observations.stack.observations[..., : -sim.frames.shape[1]].copy()
        rows: dict[str, list[np.ndarray]] = {name: [] for name in ("lidar", "policy", "deviation", "actions", "log")}
        rewards = np.empty((steps, sim.cars))
        terminated, truncated = np.empty((2, steps, sim.cars), bool)
        noise_episode, noise_step = np.empty((2, steps + 1, sim.cars), np.int64)
        finals: list[tuple[int, int]] = []
        last: dict[str, list[np.ndarray]] = {"frames": [], "lidar": []}
        ends: list[tuple] = []
        trace = TraceRecorder(sim.cars, steps)
        objects = sim.objects if isinstance(sim, RaceSim | AmongRivals) and sim.objects.size else None
        things = None if objects is None else np.empty((steps, objects.shape[1]), objects.dtype)
        reward_seconds = 0.0
        for row in range(steps):
            self.each_step()
            frames[row], noise_episode[row], noise_step[row] = sim.frames, sim.episode, self.drawn
            outputs, deviation = policy.ask(self.observations.current)
            actions = explore.choose(outputs, deviation, self.rng)
            steering, speed = self.metadata.decode(actions)
            sim.advance(steering, speed)
            clock = time.perf_counter()
            rewards[row] = self.reward(sim.values)
            reward_seconds += time.perf_counter() - clock
            self.returns += rewards[row]
            terminated[row], truncated[row] = sim.terminated, sim.truncated & ~sim.terminated
            done = sim.terminated | sim.truncated
            if objects is not None and things is not None:
                things[row] = objects[0]
            trace.record(sim, self.episode, actions, steering, speed, rewards[row], done)
            lidar = self.observations.lidar
            for name, part in (("lidar", lidar), ("policy", outputs), ("deviation", deviation), ("actions", actions)):
                if part is not None:
                    rows[name].append(part)
            rows["log"].append(explore.log_probability(actions, outputs, deviation))
            if truncated[row].any():
                self._look(truncated[row])
                finals += [(row, car) for car in np.flatnonzero(truncated[row]).tolist()]
                last["frames"].append(self.seen[truncated[row]])
                if (scan := self.observations.scan()) is not None:
                    last["lidar"].append(scan[truncated[row]])
            if done.any():
                ends += self._close_episodes(done)
                sim.reset(done)
            self._look()
            self.observations.push(done)
        frames[steps], noise_episode[steps], noise_step[steps] = sim.frames, sim.episode, self.drawn
        scan = self.observations.lidar
        return Fragment(
            tag=tag,
            frames=frames,
            history=history,
            lidar=None if scan is None else np.stack([*rows["lidar"], scan]),
            finals=np.concatenate([frames[:0, 0], *last["frames"]]),
            final_at=np.array(finals, np.int32).reshape(-1, 2),
            final_lidar=None if scan is None else np.concatenate([scan[:0], *last["lidar"]]),
            actions=np.stack(rows["actions"]),
            policy=np.stack(rows["policy"]).astype(np.float32),
            deviation=np.stack(rows["deviation"]).astype(np.float32) if rows["deviation"] else None,
            log_probability=np.stack(rows["log"]),
            rewards=rewards,
            terminated=terminated,
            truncated=truncated,
            ends=np.array(ends, ENDS),
            trace=trace.rows[:steps],
            objects=things,
            noise_seed=None if self.noise is None else sim.seed,
            noise_episode=None if self.noise is None else noise_episode,
            noise_step=None if self.noise is None else noise_step,
            reward_seconds=reward_seconds,
        )

    def _look(self, cars: np.ndarray | None = None) -> None:
        """What the cameras see now: of all cars, or of those in the mask."""
        sim = self.sim
        sim.render(cars)
        if self.noise is None:
            return
        steps = sim.values.steps
        chosen = slice(None) if cars is None else cars
        self.drawn[chosen] = self.noise.drawn(sim.episode, steps, self.drawn)[chosen]
        self.seen[chosen] = self.noise.spoil(sim.frames, sim.episode, self.drawn)[chosen]

    def _close_episodes(self, done: np.ndarray) -> list[tuple]:
        closed, values = [], self.sim.values
        for car in np.flatnonzero(done).tolist():
            closed.append(
                (
                    self.episode[car], car, self.returns[car], values.steps[car], values.progress[car],
                    self.sim.status[car], values.sim_time[car], self.started[car],
                )
            )  # fmt: skip
            self.episode[car] = self.next_episode
            self.next_episode += 1
            self.returns[car] = 0.0
            self.started[car] = time.time()
        return closed
