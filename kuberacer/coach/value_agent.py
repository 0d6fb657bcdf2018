"""Agents that learn values of discrete actions: DQN, double DQN, C51, QR-DQN, Rainbow, with rl_coach's networks, losses
and optimizers; a gradient step is two session calls, one that looks ahead and one that learns.
"""

from typing import Any

import numpy as np

from kuberacer.coach.calls import compiled_call
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.freeze import Q_VALUES
from kuberacer.coach.gradient_step import gated_apply
from kuberacer.coach.normals import draw, normals_of, zeros
from kuberacer.coach.replay import Batch
from kuberacer.coach.replay_agent import ReplayAgent
from kuberacer.coach.sensors import Observation, arrays
from kuberacer.coach.value_heads import value_head

DOUBLE = ("ddqn", "rainbow")  # the online network chooses the next action, the target network says what it is worth


class ValueAgent(ReplayAgent):
    target_networks = ("main",)
    takes_priorities = True

    def _policy_network(self) -> Any:
        return self.coach.network("main")

    def _build_calls(self) -> None:
        online, target = self._policy_network(), self.coach.agent.networks["main"].target_network
        session = self.coach.session
        seen, following = self.coach.inputs(online), self.coach.inputs(target)
        self._head = head = value_head(online, self._algorithm)
        self._double = self.metadata.algorithm in DOUBLE
        with self.coach.graph.as_default():
            self._values = tf.identity(head.tensor(), Q_VALUES)
            actions = tf.placeholder(tf.int32, [None], "kuberacer_actions")
            weights = tf.placeholder(tf.float32, [None], "kuberacer_weights")
            wanted = tf.placeholder(tf.float32, [None, *head.shape], "kuberacer_targets")
            loss, errors = head.loss(wanted, actions, weights)
            apply = gated_apply((online, tf.gradients(loss, online.weights)))
            mean_value = tf.reduce_mean(self._values)
        self._noise, self._target_noise = normals_of(head.output), normals_of(target.outputs[0])
        self._ask = compiled_call(session, self._values, [*seen, *self._noise])
        look, given = [target.outputs[0]], [*following, *self._target_noise]
        if self._double:
            look, given = [*look, head.output], [*given, *seen, *self._noise]
        self._look_ahead = compiled_call(session, look, given)
        self._step = compiled_call(
            session, [loss, mean_value, errors, apply], [*seen, *self._noise, wanted, actions, weights]
        )

    def _policy_actions(self, *given: np.ndarray) -> np.ndarray:
        return self.exploration.choose(self._ask(*given, *draw(self._noise, self.rng)))

    def _policy_tensors(self) -> list[tuple[Any, str]]:
        return [(self._values, "Identity")]

    def _random_actions(self) -> np.ndarray:
        return self.rng.integers(self._head.actions, size=self.cars)

    def _best(self, *given: np.ndarray) -> np.ndarray:
        return self._ask(*given, *zeros(self._noise)).argmax(axis=1)

    def _targets(self, batch: Batch) -> np.ndarray:
        """What the head should have said of the actions taken."""
        following = arrays(batch.following)
        given = [*following, *draw(self._target_noise, self.rng)]
        if self._double:
            given += [*following, *draw(self._noise, self.rng)]
        said, *online = self._look_ahead(*given)
        best = self._head.values(online[0] if online else said).argmax(axis=1)
        return self._head.targets(said[np.arange(len(best)), best], batch.rewards, batch.bootstrap)

    def _learn(self, observation: Observation) -> dict[str, float]:
        stats = super()._learn(observation)
        return {**stats, "epsilon": self.exploration.value} if self.exploration.schedules_epsilon else stats

    def _update(self, batch: Batch) -> dict[str, float]:
        given = [*arrays(batch.seen), *draw(self._noise, self.rng)]
        loss, mean_value, errors, _ = self._step(*given, self._targets(batch), batch.actions, batch.weights)
        if self.memory.priorities is not None:
            self.memory.priorities.update(batch.places, errors)
        return {"loss": loss, "mean_value": mean_value}
