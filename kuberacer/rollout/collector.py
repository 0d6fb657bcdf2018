"""Plays: N cars stepped together, one batched inference a step, rewards for all of them in one call."""

import time
from collections.abc import Callable

import numpy as np

from kuberacer.coach.agent import Agent
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.sensors import Observation
from kuberacer.rollout.episodes import Episode
from kuberacer.rollout.frame_stack import Observations
from kuberacer.rollout.live import Live
from kuberacer.rollout.rivals import AmongRivals
from kuberacer.rollout.trace import TraceRecorder
from kuberacer.rollout.training_videos import Lookout
from kuberacer.sim.params import ParamArrays
from kuberacer.sim.race_sim import RaceSim

BatchedReward = Callable[[ParamArrays], np.ndarray]  # -> (cars,) float64


class Collector:
    """Drives a simulator with an agent until the agent has what one training phase needs."""

    def __init__(
        self,
        sim: RaceSim | AmongRivals,
        reward: BatchedReward,
        agent: Agent,
        metadata: ModelMetadata,
        stack: int,
        next_episode: int = 0,
        lookout: Lookout | None = None,
        live: Live | None = None,
    ):
        self.sim, self.reward, self.agent, self.metadata = sim, reward, agent, metadata
        self.trace, self.lookout, self.live = TraceRecorder(sim.cars), lookout or Lookout(0), live
        self.episode_number = np.arange(sim.cars) + next_episode
        self.next_episode = next_episode + sim.cars
        self.returns = np.zeros(sim.cars)
        self._reward_seconds, self._steps = 0.0, 0  # of the iteration that was played last
        self.started = np.full(sim.cars, time.time())
        sim.reset()
        sim.render()
        self.observations = Observations(sim, metadata, stack)

    def play(self) -> list[Episode]:
        """Play one iteration's share; returns the episodes that ended in it. Trajectories go to the agent."""
        self.trace.clear()
        self._reward_seconds, self._steps = 0.0, 0
        self.lookout.begin(self.agent.iteration + 1)
        self._say("drives")
        episodes: list[Episode] = []
        while not self.agent.iteration_complete():
            episodes += self._step()
        if self.live is not None:  # for who comes to watch while it learns
            self.live.see(self.trace.rows[: self.trace.length], self.sim.frames[0])
        self._say("learns")
        return episodes

    @property
    def seen(self) -> Observation:
        """What the cars see now."""
        return self.observations.current

    @property
    def reward_us(self) -> float:
        """Microseconds that the reward function took for a step of a car, in the iteration that was played last."""
        return 1e6 * self._reward_seconds / max(1, self._steps)

    def _say(self, doing: str) -> None:
        if self.live is not None:
            self.live.doing = doing

    def _step(self) -> list[Episode]:
        sim = self.sim
        self.lookout.look(sim)
        actions = self.agent.act(self.observations.current)
        steering, speed = self.metadata.decode(actions)
        sim.advance(steering, speed)
        clock = time.perf_counter()
        rewards = self.reward(sim.values)
        self._reward_seconds += time.perf_counter() - clock
        self._steps += sim.cars
        self.returns += rewards
        done = sim.terminated | sim.truncated
        self.trace.record(sim, self.episode_number, actions, steering, speed, rewards, done)
        if self.live is not None and self.live.wanted:
            self.live.see(self.trace.rows[: self.trace.length], sim.frames[0])
        # A cut episode is bootstrapped from what was seen where it was cut; a reset would draw over it.
        final = None
        if sim.truncated.any():
            sim.render(sim.truncated)
            final = self.observations.peek()
        self.agent.observe(rewards, sim.terminated, sim.truncated, final)
        episodes = self._close_episodes(done) if done.any() else []
        if done.any():
            sim.reset(done)
        sim.render()
        self.observations.push(done)
        return episodes

    def _close_episodes(self, done: np.ndarray) -> list[Episode]:
        closed = []
        for car in np.flatnonzero(done).tolist():
            closed.append(
                Episode(
                    number=int(self.episode_number[car]),
                    reward=float(self.returns[car]),
                    steps=int(self.sim.values.steps[car]),
                    progress=float(self.sim.values.progress[car]),
                    status=self.sim.status_name(car),
                    sim_seconds=float(self.sim.values.sim_time[car]),
                    started=float(self.started[car]),
                )
            )
            self.episode_number[car] = self.next_episode
            self.next_episode += 1
            self.returns[car] = 0.0
            self.started[car] = time.time()
        return closed
