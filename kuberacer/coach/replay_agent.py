"""What the agents that replay old steps share: a memory, random play before learning, gradient steps per iteration."""

from abc import abstractmethod
from dataclasses import replace
from typing import Any

import numpy as np

from kuberacer.coach.agent import Agent
from kuberacer.coach.calls import compiled_call
from kuberacer.coach.choose import Explore
from kuberacer.coach.coach_graph import CoachGraph
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.gradient_step import copy_to_target
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.priorities import Priorities
from kuberacer.coach.replay import Batch, ReplayMemory
from kuberacer.coach.segment import Segment
from kuberacer.coach.sensors import Observation, arrays, chosen, joined
from kuberacer.coach.spaces import Spaces
from kuberacer.errors import UserError

PRIORITIZED = "PrioritizedExperienceReplay"  # the end of such a memory's path in rl_coach


class ReplayAgent(Agent):
    """A restored agent's memory begins empty: it plays heatup_steps with its policy before it learns on."""

    target_networks: tuple[str, ...]  # the names of those that have a target
    takes_priorities = False  # updates the priorities of what it has learned from

    def __init__(self, coach: CoachGraph, metadata: Spaces, hyper: Hyperparameters, cars: int, seed: int):
        super().__init__(coach, metadata, hyper, cars, seed)
        self._algorithm = coach.parameters.algorithm
        self._batch_size = next(iter(coach.parameters.network_wrappers.values())).batch_size
        self.memory = self._memory()
        self.updates = 0
        self._last_copy = 0
        self._updates_per_iteration = self._algorithm.num_consecutive_training_steps
        if self._by_episodes and self._updates_per_iteration == 1:
            # rl_coach's default is meant for one step of play; after whole episodes it would hardly learn.
            self._updates_per_iteration = hyper["updates_per_iteration"]
        # TD3 counts by the episode's steps itself, and learns after each step here.
        self._full_episodes = self._algorithm.act_for_full_episodes and metadata.algorithm != "td3"
        if not self._by_episodes and not self._full_episodes:
            # The same ratio of playing to learning, in portions that are worth a batched rollout.
            portions = max(1, hyper["rollout_steps"] // self._rhythm)
            self._rhythm *= portions
            self._updates_per_iteration *= portions
        wrappers = [coach.agent.networks[name] for name in self.target_networks]
        rate = self._algorithm.rate_for_copying_weights_to_target
        with coach.graph.as_default():
            equal = [copy_to_target(wrapper, 1) for wrapper in wrappers]
            copy = tf.group(*(copy_to_target(wrapper, rate) for wrapper in wrappers))
        coach.session.run(equal)
        self._copy = compiled_call(coach.session, copy, [])
        self._build_calls()

    def _memory(self) -> ReplayMemory:
        """As large as replay_size, or smaller where the preset says so; its kind and n_step are the preset's."""
        given = self.coach.parameters.memory
        unit, size = given.max_size
        most = size if unit.name == "Transitions" else self.hyper["replay_size"]
        shape, kind = ((self.metadata.actions,), np.float32) if self.metadata.continuous else ((), np.int32)
        prioritized = given.path.endswith(PRIORITIZED)
        if prioritized and not self.takes_priorities:
            raise UserError(
                f"preset: {self.metadata.algorithm} does not tell the errors that a prioritised replay needs",
                "use ExperienceReplayParameters, or an agent with values of actions",
            )
        return ReplayMemory(
            self.cars, min(most, self.hyper["replay_size"]), self.inputs, shape, kind, self._algorithm.discount,
            max(1, self._algorithm.n_step), Priorities(given.alpha, given.beta, given.epsilon) if prioritized else None,
        )  # fmt: skip

    @abstractmethod
    def _build_calls(self) -> None:
        """Make the session's callables."""

    @abstractmethod
    def _policy_actions(self, *given: np.ndarray) -> np.ndarray:
        """What the exploring policy does; the arrays of an observation."""

    @abstractmethod
    def _random_actions(self) -> np.ndarray:
        """(N, …) actions drawn uniformly."""

    @abstractmethod
    def _update(self, batch: Batch) -> dict[str, float]:
        """One gradient step; its statistics."""

    def act(self, observation: Observation) -> np.ndarray:
        heating = self.steps_before + self.total_steps < self.hyper["heatup_steps"]
        actions = self._random_actions() if heating else self._policy_actions(*arrays(observation))
        self.memory.begin(observation, actions)
        return actions

    def _store(
        self, rewards: np.ndarray, terminated: np.ndarray, truncated: np.ndarray, final: Observation | None
    ) -> None:
        self.memory.end(rewards, terminated, truncated, final)

    def iteration_complete(self) -> bool:
        filled = self.memory.steps >= min(self.hyper["heatup_steps"], self.memory.capacity)
        ended = self._episodes_of_iteration > 0 or self._steps_of_iteration >= self._most_steps()
        whole = ended or not self._full_episodes
        return filled and whole and self.memory.steps > 0 and super().iteration_complete()

    def _most_steps(self) -> int:
        return max(self.cars, self.memory.capacity)

    def _learn(self, observation: Observation) -> dict[str, float]:
        """The observation is not needed: the newest step is sampled once the next one has been played."""
        # rl_coach plays one episode at a time and learns after it; here several may have ended.
        phases = max(1, self._episodes_of_iteration) if self._full_episodes else 1
        seen = []
        for _ in range(self._updates_per_iteration * phases):
            seen.append(self._update(self.memory.sample(self.rng, self._batch_size)))
            self.updates += 1
            self._copy_when_due()
        stats = {name: float(np.mean([row[name] for row in seen])) for name in seen[0]}
        self.check_finite(stats)
        return {**stats, "updates": len(seen)}

    def quota(self) -> int:
        """The first one fills the memory as far as learning needs it."""
        missing = min(self.hyper["heatup_steps"], self.memory.capacity) - self.memory.steps
        usual = self.hyper["rollout_steps"] if self._full_episodes else super().quota()
        return usual if missing <= 0 else max(usual, missing + self.cars)

    def explore(self) -> Explore:
        explore = super().explore()
        heating = self.steps_before + self.total_steps < self.hyper["heatup_steps"]
        return replace(explore, kind="random") if heating else self._exploring(explore)

    def _exploring(self, explore: Explore) -> Explore:
        return explore

    def _learn_segments(self, segments: list[Segment]) -> dict[str, float]:
        for segment in segments:
            self._remember(segment)
        self._episodes_of_iteration = sum(int(segment.ended.sum()) for segment in segments)
        return self._learn(joined(tuple(array[-1] for array in arrays(segments[-1].seen))))

    def _remember(self, segment: Segment) -> None:
        """Into the ring; the next step there is another segment's, so that the last one keeps what was seen next."""
        last = len(segment.rewards) - 1
        finals = {time: (cars, seen) for time, cars, seen in segment.finals}
        rows = [joined(row) for row in zip(*arrays(segment.seen), strict=True)]
        for time in range(last + 1):
            following = rows[time + 1]
            if time in finals:
                cars, seen = finals[time]
                following = chosen(following, np.arange(self.cars))  # a copy
                for array, final in zip(arrays(following), arrays(seen), strict=True):
                    array[cars] = final
            self.memory.begin(rows[time], segment.actions[time])
            cut = segment.truncated[time] | (time == last)
            self.memory.end(segment.rewards[time], segment.terminated[time], cut, following)

    def _copy_when_due(self) -> None:
        """As rl_coach does after each gradient step; its interval counts steps, episodes or gradient steps."""
        interval = self._algorithm.num_steps_between_copying_online_weights_to_target
        counters = {"EnvironmentEpisodes": self.total_episodes, "TrainingSteps": self.updates}
        count = counters.get(type(interval).__name__, self.total_steps)
        # One step of play per gradient step is rl_coach's rhythm for soft copies; here many updates follow one rollout.
        each_update = interval.num_steps == 1
        if each_update or count - self._last_copy >= interval.num_steps:
            self._last_copy = count
            self._copy()

    def state(self) -> dict[str, Any]:
        own = {"updates": self.updates, "last_copy": self._last_copy}
        if self.memory.priorities is not None:
            own["batches"] = self.memory.priorities.batches
        return {**super().state(), **own}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self.updates = state["updates"]
        self._last_copy = state["last_copy"]
        if self.memory.priorities is not None:
            self.memory.priorities.skip_to(state["batches"])
