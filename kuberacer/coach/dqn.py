"""DQN: rl_coach's networks, loss and optimizer; targets, loss and gradient step in one session call."""

from typing import Any

import numpy as np

from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.gradient_step import gated_apply, rewired
from kuberacer.coach.replay_agent import Batch, ReplayAgent
from kuberacer.coach.sensors import Observation, arrays


class DQN(ReplayAgent):
    target_network = "main"

    def _policy_network(self) -> Any:
        return self.coach.network("main")

    def _build_calls(self) -> None:
        online = self._policy_network()
        target = self.coach.agent.networks["main"].target_network
        session = self.coach.session
        seen, following = self.coach.inputs(online), self.coach.inputs(target)
        values = online.outputs[0]
        self._actions = values.shape.as_list()[-1]
        with self.coach.graph.as_default():
            actions = tf.placeholder(tf.int32, [None], "kuberacer_actions")
            rewards = tf.placeholder(tf.float64, [None], "kuberacer_rewards")
            terminated = tf.placeholder(tf.bool, [None], "kuberacer_terminated")
            wanted = self._targets(values, target.outputs[0], actions, rewards, terminated)
            weights = tf.ones([tf.shape(wanted)[0], 1])
            (loss,) = rewired([online.total_loss], {online.targets[0]: wanted, online.importance_weights[0]: weights})
            apply = gated_apply((online, tf.gradients(loss, online.weights)))
            mean_value = tf.reduce_mean(values)
        self._ask = session.make_callable(values, seen)
        self._step = session.make_callable([loss, mean_value, apply], [*seen, *following, actions, rewards, terminated])

    def _targets(self, values: Any, next_values: Any, actions: Any, rewards: Any, terminated: Any) -> Any:
        """rl_coach's: the values as they are, but for the action taken r + γ · max of the target network's.

        Computed in float64, as rl_coach does in Python.
        """
        best = tf.cast(tf.reduce_max(next_values, axis=1), tf.float64)
        taken = rewards + (1 - tf.cast(terminated, tf.float64)) * self._algorithm.discount * best
        chosen = tf.one_hot(actions, self._actions, on_value=True, off_value=False)
        spread = tf.tile(tf.cast(taken, tf.float32)[:, None], [1, self._actions])
        return tf.stop_gradient(tf.where(chosen, spread, values))

    def _policy_actions(self, *given: np.ndarray) -> np.ndarray:
        return self.exploration.choose(self._ask(*given))

    def _policy_tensors(self) -> list[tuple[Any, str]]:
        return [(self._policy_network().outputs[0], "Identity")]

    def _random_actions(self) -> np.ndarray:
        return self.rng.integers(self._actions, size=self.cars)

    def _best(self, *given: np.ndarray) -> np.ndarray:
        return self._ask(*given).argmax(axis=1)

    def _learn(self, observation: Observation) -> dict[str, float]:
        return {**super()._learn(observation), "epsilon": self.exploration.value}

    def _update(self, batch: Batch) -> dict[str, float]:
        seen, following, actions, rewards, terminated = batch
        loss, mean_value, _ = self._step(*arrays(seen), *arrays(following), actions, rewards, terminated)
        return {"loss": loss, "mean_value": mean_value}
