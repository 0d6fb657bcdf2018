"""Clipped PPO: rl_coach's graph, losses and optimizer, played and trained from arrays.

The old policy is kept from the rollout (the weights do not change while playing), values are computed once per
iteration in large batches, and a minibatch is one session call that takes the gradient step too.
"""

from typing import Any

import numpy as np

from kuberacer.coach.agent import Agent, in_batches
from kuberacer.coach.calls import compiled_call
from kuberacer.coach.coach_graph import CoachGraph
from kuberacer.coach.gradient_step import gated_apply
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.rollout_buffer import RolloutBuffer
from kuberacer.coach.segment import Segment
from kuberacer.coach.sensors import Observation, arrays, joined
from kuberacer.coach.spaces import Spaces

MOST_FRAME_BYTES = 2**29  # of one iteration's frames


def advantages(
    rewards: np.ndarray,
    values: np.ndarray,
    next_values: np.ndarray,
    ended: np.ndarray,
    discount: float,
    gae_lambda: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Generalised advantage estimation (Schulman et al. 2015, eq. 16) over [time, car].

    next_values: the value of the state after each step, 0 where it was terminal. ended: no advantage flows back across
    these steps. Returns (advantages, value targets), float64.
    """
    deltas = rewards + discount * next_values.astype(np.float64) - values
    found = np.empty(rewards.shape)
    following = np.zeros(rewards.shape[1])
    for t in reversed(range(len(rewards))):
        following = deltas[t] + discount * gae_lambda * np.where(ended[t], 0.0, following)
        found[t] = following
    return found, found + values


class ClippedPPO(Agent):
    def __init__(self, coach: CoachGraph, metadata: Spaces, hyper: Hyperparameters, cars: int, seed: int):
        super().__init__(coach, metadata, hyper, cars, seed)
        self._algorithm = coach.parameters.algorithm
        self._batch_size = coach.parameters.network_wrappers["main"].batch_size
        self._build_calls()
        width = metadata.actions if metadata.continuous else self._policy_width
        columns: dict[str, tuple[tuple[int, ...], type]] = {
            "actions": ((metadata.actions,), np.float32) if metadata.continuous else ((), np.int32),
            "policy": ((width,), np.float32),  # probabilities, or means
            "rewards": ((), np.float64),
            "terminated": ((), bool),
            "truncated": ((), bool),
        }
        if metadata.continuous:
            columns["deviation"] = ((metadata.actions,), np.float32)
        rows = -(-hyper["rollout_steps"] // cars)
        self._played = RolloutBuffer(cars, rows, self.inputs, **columns)
        self._clip_steps = 0

    def _policy_network(self) -> Any:
        return self.coach.network("main")

    def _build_calls(self) -> None:
        network = self._policy_network()
        session = self.coach.session
        seen = self.coach.inputs(network)
        value, *policy = network.outputs  # policy: probabilities, or mean and standard deviation
        self._policy_width = policy[0].shape.as_list()[-1]
        head = network.output_heads[1]
        with self.coach.graph.as_default():
            apply = gated_apply((network, None))
        self._policy_outputs = policy
        self._ask_policy = compiled_call(session, policy, seen)
        self._ask_value = compiled_call(session, value, seen)
        given = [network.inputs[f"output_1_{i}"] for i in range(len(policy) + 2)]  # actions, old policy, clip
        self._statistics = ("loss", "value_loss", "policy_loss", "kl", "entropy")
        value_loss = network.output_heads[0].loss[0]
        tensors = [network.total_loss, value_loss, head.surrogate_loss, head.kl_divergence, head.entropy]
        self._step = compiled_call(
            session, [*tensors, apply], [*seen, *given, *network.targets[:2], network.importance_weights[0]]
        )

    def act(self, observation: Observation) -> np.ndarray:
        policy = self._ask_policy(*arrays(observation))
        actions = self.exploration.choose(*policy)
        self._played.see(observation)
        self._played.put(actions=actions, policy=policy[0])
        if self.metadata.continuous:
            self._played.put(deviation=policy[1])
        self._clip_steps += self.cars
        return actions

    def _best(self, *given: np.ndarray) -> np.ndarray:
        policy = self._ask_policy(*given)[0]
        return policy if self.metadata.continuous else policy.argmax(axis=1)

    def _store(
        self, rewards: np.ndarray, terminated: np.ndarray, truncated: np.ndarray, final: Observation | None
    ) -> None:
        self._played.put(rewards=rewards, terminated=terminated, truncated=truncated & ~terminated)
        self._played.end_step(truncated & ~terminated, final)

    def _most_steps(self) -> int:
        return max(self.cars, MOST_FRAME_BYTES // int(np.prod(self.inputs[0].shape)))

    def _values(self, observation: Observation) -> np.ndarray:
        return in_batches(self._ask_value, arrays(observation))[:, 0]

    def _value_arrays(self, observation: Observation) -> tuple[np.ndarray, np.ndarray]:
        """The value of each state played, and of the state after it (0 where terminal), both [time, car]."""
        played = self._played
        values = self._values(joined(played.seen())).reshape(played.time, played.cars)
        following = np.concatenate([values[1:], self._values(observation)[None]])
        for time, cars, last in played.finals:
            following[time, cars] = self._values(last)
        following[played["terminated"]] = 0
        return values, following

    def _learn(self, observation: Observation) -> dict[str, float]:
        played = self._played
        self.coach.set_training(False)
        values, following = self._value_arrays(observation)
        self.coach.set_training(True)
        ended = played["terminated"] | played["truncated"]
        found, targets = advantages(
            played["rewards"], values, following, ended, self._algorithm.discount, self._algorithm.gae_lambda
        )
        columns = ["actions", "policy", *(["deviation"] if self.metadata.continuous else [])]
        given = [played.flat(name) for name in columns]
        stats = self._epochs(played.seen(), None, given, found.ravel(), targets.ravel())
        played.clear()
        return stats

    def _policy_tensors(self) -> list[tuple[Any, str]]:
        return [(tensor, "Identity") for tensor in self._policy_outputs]

    def _learn_segments(self, segments: list[Segment]) -> dict[str, float]:
        parts = zip(*(arrays(s.seen) for s in segments), strict=True)
        seen = tuple(np.concatenate([part.reshape(-1, *part.shape[2:]) for part in same]) for same in parts)
        self.coach.set_training(False)
        values = self._values(joined(seen))
        found: list[np.ndarray] = []
        targets: list[np.ndarray] = []
        places, start = [], 0
        for s in segments:
            shape = arrays(s.seen)[0].shape[:2]
            rows = values[start : start + shape[0] * shape[1]].reshape(shape)
            following = rows[1:].copy()
            for time, cars, last in s.finals:
                following[time, cars] = self._values(last)
            following[s.terminated] = 0
            algorithm = self._algorithm
            for kept, part in zip(
                (found, targets),
                advantages(s.rewards, rows[:-1], following, s.ended, algorithm.discount, algorithm.gae_lambda),
                strict=True,
            ):
                kept.append(part.ravel())
            places.append(np.arange(start, start + s.steps))
            start += rows.size
        self.coach.set_training(True)
        self._clip_steps += sum(s.steps for s in segments)
        given = [np.concatenate([s.actions.reshape(s.steps, *s.actions.shape[2:]) for s in segments])]
        given.append(np.concatenate([s.policy.reshape(s.steps, -1) for s in segments]))
        if self.metadata.continuous:
            given.append(
                np.concatenate([s.deviation.reshape(s.steps, -1) for s in segments if s.deviation is not None])
            )
        return self._epochs(seen, np.concatenate(places), given, np.concatenate(found), np.concatenate(targets))

    def _epochs(
        self,
        seen: tuple[np.ndarray, ...],
        places: np.ndarray | None,
        given: list[np.ndarray],
        advantage: np.ndarray,
        target: np.ndarray,
    ) -> dict[str, float]:
        """Gradient steps over shuffled minibatches; as in rl_coach, an epoch's last incomplete one is left out.

        places: the samples' rows of `seen` (None: all, in order). given: actions and old policy; advantage and
        target of the value: each (samples,). Returns the last epoch's mean statistics.
        """
        scale = advantage.std() or 1.0  # all equal: nothing to prefer
        found = ((advantage - advantage.mean()) / scale).astype(np.float32)
        targets = target.astype(np.float32).reshape(-1, 1)
        clip = self._clip_scale()
        size = min(self._batch_size, len(found))
        weights = np.ones((size, 1), np.float32)
        batch = [np.empty((size, *given.shape), given.dtype) for given in self.inputs]
        stats: dict[str, float] = {}
        for _ in range(self._algorithm.optimization_epochs):
            order = self.rng.permutation(len(found))
            said = []
            for start in range(0, len(order) - size + 1, size):
                chosen = order[start : start + size]
                rows = chosen if places is None else places[chosen]
                for array, into in zip(seen, batch, strict=True):
                    np.take(array, rows, axis=0, out=into)
                row = self._step(*batch, *(a[chosen] for a in given), clip, targets[chosen], found[chosen], weights)
                said.append(row[:-1])
            stats = dict(zip(self._statistics, np.mean(said, axis=0).tolist(), strict=True))
            self.check_finite(stats)
        return stats

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        self._clip_steps = self.total_steps

    def _clip_scale(self) -> float:
        """rl_coach's schedule of the clipping range, one step a car and act."""
        schedule = self._algorithm.clipping_decay_schedule
        for _ in range(self._clip_steps):
            schedule.step()
        self._clip_steps = 0
        return float(schedule.current_value)
