"""What all agents have in common: acting for N cars, counting, learning, saving."""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach import checkpoint, freeze
from kuberacer.coach.choose import Explore
from kuberacer.coach.coach_graph import CoachGraph
from kuberacer.coach.exploration import Exploration
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.normals import normals_of
from kuberacer.coach.segment import Segment
from kuberacer.coach.sensors import Input, Observation, arrays
from kuberacer.coach.spaces import Spaces
from kuberacer.errors import UserError

INFERENCE_BATCH = 512  # frames of one inference at most, bounds memory


def in_batches(ask: Callable[..., np.ndarray], given: tuple[np.ndarray, ...]) -> np.ndarray:
    """ask(*given), of all rows, by so many at a time."""
    starts = range(0, len(given[0]), INFERENCE_BATCH)
    return np.concatenate([ask(*(array[start : start + INFERENCE_BATCH] for array in given)) for start in starts])


class Agent(ABC):
    """One learner and the policy of `cars` cars stepped together.

    A step: `actions = act(observation)`, play it, `observe(…)`; when `iteration_complete()`, `learn(observation)`.
    Actions are (N,) integers, or (N, 2) float32 [steering, speed] around -1..1; ModelMetadata.decode reads both.
    """

    def __init__(self, coach: CoachGraph, metadata: Spaces, hyper: Hyperparameters, cars: int, seed: int):
        self.coach = coach
        self.metadata = metadata
        self.hyper = hyper
        self.cars = cars
        self.rng = np.random.default_rng(seed)
        self.iteration = 0  # training phases done
        self.total_steps = 0  # of all cars
        self.steps_before = 0  # of the model that the training began with
        self.total_episodes = 0
        self._steps_of_iteration = 0
        self._episodes_of_iteration = 0
        self.exploration = Exploration(coach.agent.exploration_policy, metadata.actions, self.rng)
        given = zip(coach.names, coach.inputs(self._policy_network()), strict=True)
        self.inputs = tuple(Input(name, tuple(tensor.shape.as_list()[1:])) for name, tensor in given)
        playing = coach.parameters.algorithm.num_consecutive_playing_steps
        self._by_episodes = type(playing).__name__ == "EnvironmentEpisodes"
        self._rhythm = playing.num_steps  # episodes or steps of one iteration
        self._reward_filters = coach.agent.input_filter.reward_filters.values()

    @property
    def precision(self) -> str:
        """'fp32' or 'bf16': what the session computes in."""
        return self.coach.precision

    @property
    def stack_size(self) -> int:
        """Time steps of the camera that the network sees at once."""
        return self.inputs[0].shape[-1] // self.metadata.views

    @abstractmethod
    def act(self, observation: Observation) -> np.ndarray:
        """Actions to explore with, for what the N cars see."""

    @abstractmethod
    def _policy_network(self) -> Any:
        """rl_coach's network that chooses actions."""

    @abstractmethod
    def _best(self, *given: np.ndarray) -> np.ndarray:
        """Deterministic actions of one batch; the arrays of an observation."""

    @abstractmethod
    def _store(
        self, rewards: np.ndarray, terminated: np.ndarray, truncated: np.ndarray, final: Observation | None
    ) -> None:
        """Keep what the learner needs of the step just played."""

    @abstractmethod
    def _policy_tensors(self) -> list[tuple[Any, str]]:
        """What exploring needs of the policy's network: (tensor, operation that makes an output of it)."""

    @abstractmethod
    def _learn_segments(self, segments: list[Segment]) -> dict[str, float]:
        """One training phase on what others have played; the statistics of its gradient steps."""

    @abstractmethod
    def _learn(self, observation: Observation) -> dict[str, float]:
        """One training phase; the statistics of its gradient steps."""

    def observe(
        self,
        rewards: np.ndarray,
        terminated: np.ndarray,
        truncated: np.ndarray,
        final: Observation | None = None,
    ) -> None:
        """What came of the last actions, each (N,).

        final: as in `act`, of truncated cars what they saw before their reset; needed when any car is truncated.
        """
        filtered = np.asarray(rewards, np.float64)
        for reward_filter in self._reward_filters:
            filtered = np.array([reward_filter.filter(reward) for reward in filtered])
        self._store(filtered, terminated, truncated, final)
        ended = int((terminated | truncated).sum())
        self._steps_of_iteration += self.cars
        self._episodes_of_iteration += ended
        self.total_steps += self.cars
        self.total_episodes += ended

    def iteration_complete(self) -> bool:
        """True when enough was played for a training phase: num_episodes_between_training when given, else
        rollout_steps; a bound on the memory of what was played ends it in any case."""
        if self._steps_of_iteration >= self._most_steps():
            return True
        played = self._episodes_of_iteration if self._by_episodes else self._steps_of_iteration
        return played >= self._rhythm

    @abstractmethod
    def _most_steps(self) -> int:
        """Steps after which an iteration ends in any case."""

    def learn(self, observation: Observation) -> dict[str, float]:
        """One training phase on what was played. observation: what the cars see now.

        Returns its statistics. Raises UserError when a loss is not finite: the weights are spoilt then, the last
        checkpoint is not.
        """
        samples = self._steps_of_iteration
        stats = self._phase(lambda: self._learn(observation), samples)
        self._steps_of_iteration = self._episodes_of_iteration = 0
        return stats

    def quota(self) -> int:
        """Steps that the next training phase wants when others play: rollout_steps, or the preset's steps."""
        return self.hyper["rollout_steps"] if self._by_episodes else self._rhythm

    def explore(self) -> Explore:
        """What others are to explore with now."""
        exploration = self.exploration
        discrete = 0 if self.metadata.continuous else self.metadata.actions
        return Explore(exploration.kind, exploration.value, discrete)

    def learn_segments(self, segments: list[Segment]) -> dict[str, float]:
        """One training phase on what others have played with this agent's policies; as `learn`."""
        for reward_filter in self._reward_filters:
            for segment in segments:
                filtered = [reward_filter.filter(reward) for reward in segment.rewards.ravel()]
                segment.rewards = np.array(filtered).reshape(segment.rewards.shape)
        samples = sum(segment.steps for segment in segments)
        self.total_steps += samples
        self.total_episodes += sum(int(segment.ended.sum()) for segment in segments)
        self.exploration.played_elsewhere(samples)
        return self._phase(lambda: self._learn_segments(segments), samples)

    def _phase(self, phase: Callable[[], dict[str, float]], samples: int) -> dict[str, float]:
        start = time.perf_counter()
        self.coach.set_training(True)
        try:
            stats = phase()
        finally:
            self.coach.set_training(False)
        if not self.coach.session.run(self.coach.finite):  # the last gradient step is seen by no loss
            raise self._not_finite("a weight")
        self.iteration += 1
        return {**stats, "samples": samples, "seconds": time.perf_counter() - start}

    def check_finite(self, stats: dict[str, float]) -> None:
        """Raises UserError naming the iteration and the hyperparameters to look at."""
        bad = [name for name, value in stats.items() if not np.isfinite(value)]
        if bad:
            raise self._not_finite(", ".join(bad))

    def _not_finite(self, what: str) -> UserError:
        names = [key for key in ("lr", "batch_size", "beta_entropy", "sac_alpha") if key in self.hyper.values]
        values = ", ".join(f"{key} {self.hyper[key]:g}" for key in names)
        return UserError(
            f"iteration {self.iteration + 1}: {what} is not a finite number; the last checkpoint is good",
            f"lower lr or raise batch_size (now {values}), and look for very large values in the reward function",
        )

    def best_actions(self, observation: Observation) -> np.ndarray:
        """Deterministic actions for what any number of cars see; changes nothing."""
        return in_batches(self._best, arrays(observation))

    def state(self) -> dict[str, Any]:
        """Everything beside the network's variables that resuming needs; plain JSON values."""
        return {
            "iteration": self.iteration,
            "total_steps": self.total_steps,
            "steps_before": self.steps_before,
            "total_episodes": self.total_episodes,
            "exploration_steps": self.exploration.steps,
            "random": self.rng.bit_generator.state,
        }

    def set_state(self, state: dict[str, Any]) -> None:
        self.iteration = state["iteration"]
        self.total_steps = state["total_steps"]
        self.steps_before = state.get("steps_before", 0)
        self.total_episodes = state["total_episodes"]
        self.exploration.skip_to(state["exploration_steps"])
        self.rng.bit_generator.state = state["random"]

    def save(self, folder: Path | str) -> None:
        """Write a checkpoint from which `restore` goes on as if nothing had happened. Call it between iterations."""
        checkpoint.save(self, Path(folder))

    def restore(self, folder: Path | str) -> None:
        """Raises UserError naming what is missing or does not fit."""
        checkpoint.restore(self, Path(folder))

    def export_frozen(self, path: Path | str) -> None:
        """Write the policy as a frozen graph with the car's node names."""
        freeze.export(self.coach, self.metadata, Path(path))

    def export_for_rollouts(self, path: Path | str) -> list[str]:
        """Write the policy with all that exploring needs; the names of its outputs: probabilities or values, or mean
        and deviation."""
        draw = self._normals if self.noisy else None
        return freeze.export_for_rollouts(self.coach, self.metadata, self._policy_tensors(), Path(path), draw)

    @property
    def noisy(self) -> bool:
        """Whether the network itself explores, by noise in its layers."""
        return bool(normals_of(*(tensor for tensor, _ in self._policy_tensors())))

    def _normals(self, shape: tuple[int, ...]) -> np.ndarray:
        return self.rng.standard_normal(shape, np.float32)

    def close(self) -> None:
        self.coach.close()
