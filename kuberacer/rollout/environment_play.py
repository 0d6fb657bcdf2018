"""Plays any environment: N copies stepped together, one batched inference a step; with exploration, and without."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from gymnasium.vector import VectorEnv

from kuberacer.coach.agent import Agent
from kuberacer.coach.environment_model import EnvironmentModel
from kuberacer.environments.loader import Environments
from kuberacer.errors import UserError
from kuberacer.rollout.episodes import Episode

Policy = Callable[[np.ndarray], np.ndarray]  # what is seen, as the network wants it -> the agent's actions
TERMINATED, TRUNCATED = "terminated", "truncated"
MOST_FRAMES = 150  # of one film


class EnvironmentCollector:
    """Plays copies of an environment with an agent until the agent has what one training phase needs."""

    reward_us = 0.0  # rewards are the environment's own, and part of playing

    def __init__(self, copies: VectorEnv, agent: Agent, model: EnvironmentModel, seed: int, next_episode: int = 0):
        self.copies, self.agent, self.model = copies, agent, model
        number = copies.num_envs
        self.episode_number = np.arange(number) + next_episode
        self.next_episode = next_episode + number
        self.returns, self.lengths = np.zeros(number), np.zeros(number, np.int64)
        self.started = np.full(number, time.time())
        self.seen = model.normalised(copies.reset(seed=seed)[0])

    def play(self) -> list[Episode]:
        """Play one training phase's share; returns the episodes that ended in it."""
        episodes: list[Episode] = []
        while not self.agent.iteration_complete():
            episodes += self._step()
        return episodes

    def _step(self) -> list[Episode]:
        actions = self.agent.act(self.seen)
        raw, rewards, terminated, truncated, _ = self.copies.step(self.model.decode(actions))
        check_step(self.model.environment, raw, rewards)
        self.returns += rewards
        self.lengths += 1
        self.seen = self.model.normalised(raw)
        self.agent.observe(rewards, terminated, truncated & ~terminated, self.seen if truncated.any() else None)
        done = terminated | truncated
        if not done.any():
            return []
        episodes = [self._closed(copy, bool(terminated[copy])) for copy in np.flatnonzero(done).tolist()]
        self.seen = self.model.normalised(self.copies.reset(options={"reset_mask": done})[0])
        return episodes

    def _closed(self, copy: int, terminated: bool) -> Episode:
        episode = Episode(
            number=int(self.episode_number[copy]),
            reward=float(self.returns[copy]),
            steps=int(self.lengths[copy]),
            progress=None,
            status=TERMINATED if terminated else TRUNCATED,
            sim_seconds=float(self.lengths[copy]),
            started=float(self.started[copy]),
        )
        self.episode_number[copy], self.next_episode = self.next_episode, self.next_episode + 1
        self.returns[copy], self.lengths[copy], self.started[copy] = 0.0, 0, time.time()
        return episode


def check_step(environment: str, observations: np.ndarray, rewards: np.ndarray) -> None:
    """Raises UserError for numbers that would spoil the weights."""
    for what, values in (("observation", observations), ("reward", rewards)):
        if values.dtype.kind == "f" and not np.isfinite(values).all():
            raise UserError(f"{environment}: a {what} is not a finite number", f"mend the environment's {what}s")


@dataclass(frozen=True)
class Played:
    """Whole episodes without exploration. figures: the largest of what the environment tells of them by itself."""

    returns: list[float]
    lengths: list[int]
    figures: dict[str, float]

    @property
    def mean(self) -> float:
        return float(np.mean(self.returns))


def evaluate(policy: Policy, environments: Environments, model: EnvironmentModel, episodes: int, seed: int) -> Played:
    """Play so many episodes, at once where the environment can. Episode i begins with seed + i, whatever the policy."""
    most = environments.most_copies or episodes
    groups = [
        _evaluate(policy, environments, model, min(most, episodes - first), seed + first)
        for first in range(0, episodes, most)
    ]
    return Played(
        [each for group in groups for each in group.returns],
        [each for group in groups for each in group.lengths],
        {name: max(group.figures[name] for group in groups) for name in groups[0].figures},
    )


def _evaluate(policy: Policy, environments: Environments, model: EnvironmentModel, episodes: int, seed: int) -> Played:
    copies = environments.vector(episodes)
    try:
        observations, _ = copies.reset(seed=seed)
        returns, lengths = np.zeros(episodes), np.zeros(episodes, np.int64)
        running = np.ones(episodes, bool)
        while running.any():
            actions = model.decode(policy(model.normalised(observations)))
            observations, rewards, terminated, truncated, _ = copies.step(actions)
            check_step(model.environment, observations, rewards)
            returns += np.where(running, rewards, 0.0)
            lengths += running
            done = terminated | truncated
            running &= ~done
            if done.any() and running.any():  # those that have ended play on unseen: copies step together
                observations, _ = copies.reset(options={"reset_mask": done})
        figures: dict[str, float] = getattr(copies, "figures", dict)()
        return Played(returns.tolist(), lengths.tolist(), figures)
    finally:
        copies.close()


@dataclass(frozen=True)
class Film:
    """One episode in pictures. every: steps between two of them; score: its return."""

    pictures: list[np.ndarray]
    every: int
    score: float


def film(policy: Policy, environments: Environments, model: EnvironmentModel, seed: int) -> Film:
    """Play one episode and keep at most MOST_FRAMES pictures, evenly spread. Empty where the environment draws none."""
    env = environments.make(drawn=True)
    try:
        observation: Any = env.reset(seed=seed)[0]
        pictures: list[np.ndarray] = []
        every, step, score, done = 1, 0, 0.0, False
        while not done:
            if step % every == 0:
                pictures += _picture(env)
                if len(pictures) > MOST_FRAMES:
                    pictures, every = pictures[::2], every * 2
            actions = model.decode(policy(model.normalised(np.asarray(observation)[None])))
            observation, reward, terminated, truncated, _ = env.step(actions[0])
            step, score, done = step + 1, score + float(reward), bool(terminated or truncated)
        return Film([*pictures, *_picture(env)] if pictures else [], every, score)
    finally:
        env.close()


def _picture(env: Any) -> list[np.ndarray]:
    found = env.render()
    return [np.asarray(found, np.uint8)] if found is not None else []
