"""Soft actor-critic: rl_coach's four networks, losses and optimizers, trained from arrays.

A gradient step is one session call: what the policy would do, what the critic says of it, the targets (Haarnoja et
al. 2018, equations 5 to 8), and the gradient steps of policy, value and critic. Noise comes from the agent's own
generator, so that a restored agent goes on with the same draws.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from kuberacer.coach.calls import compiled_call
from kuberacer.coach.choose import Explore
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.gradient_step import gated_apply, rewired
from kuberacer.coach.normals import normals_of
from kuberacer.coach.replay import Batch
from kuberacer.coach.replay_agent import ReplayAgent
from kuberacer.coach.sensors import Observation, arrays


def gaussian_divergence(
    mean: np.ndarray, log_deviation: np.ndarray, new_mean: np.ndarray, new_log_deviation: np.ndarray
) -> float:
    """KL(old ‖ new) of normal distributions with independent axes, nats, the mean over the rows of (N, axes).

    Squashing both by the same tanh leaves it as it is: it is a bijection.
    """
    old, new = np.exp(2.0 * log_deviation.astype(np.float64)), np.exp(2.0 * new_log_deviation.astype(np.float64))
    moved = (new_mean.astype(np.float64) - mean) ** 2
    return float((new_log_deviation - log_deviation + (old + moved) / (2 * new) - 0.5).sum(axis=1).mean())


class SAC(ReplayAgent):
    target_networks = ("v",)

    def _policy_network(self) -> Any:
        return self.coach.network("policy")

    def _build_calls(self) -> None:
        policy, critic, value = (self.coach.network(name) for name in ("policy", "q", "v"))
        target = self.coach.agent.networks["v"].target_network
        session, seen_by = self.coach.session, self.coach.inputs
        mean, log_deviation, raw, actions, log_probability, mean_log_probability = policy.outputs
        action = critic.inputs["output_0_0"]  # the critic's, of the batch
        with self.coach.graph.as_default():
            rewards = tf.placeholder(tf.float64, [None], "kuberacer_rewards")
            bootstrap = tf.placeholder(tf.float64, [None], "kuberacer_bootstrap")
            drawn_value, mean_drawn_value = rewired(critic.outputs, {action: actions})
            value_target = tf.stop_gradient(drawn_value - log_probability[:, None])
            critic_target = tf.stop_gradient(self._critic_target(rewards, bootstrap, target.outputs[0]))
            weights = tf.ones_like(value_target)
            (value_loss,) = rewired(
                [value.total_loss], {value.targets[0]: value_target, value.importance_weights[0]: weights}
            )
            (critic_loss,) = rewired([critic.total_loss], {critic.targets[0]: critic_target})
            apply = gated_apply(
                (policy, tf.gradients(mean_log_probability - mean_drawn_value, policy.weights)),
                (value, tf.gradients(value_loss, value.weights)),
                (critic, tf.gradients(critic_loss, critic.weights)),
            )
            best = tf.tanh(mean)
        self._policy_outputs = [(mean, "Identity"), (log_deviation, "Exp")]
        self._ask = compiled_call(session, [mean, log_deviation], seen_by(policy))
        self._ask_best = compiled_call(session, best, seen_by(policy))
        self._step = compiled_call(
            session,
            [value_loss, critic_loss, mean_log_probability, mean_drawn_value, apply],
            [
                *(tensor for network in (policy, value, critic, target) for tensor in seen_by(network)),
                *(normals_of(raw)[0], action, rewards, bootstrap),
            ],
        )

    def _critic_target(self, rewards: Any, bootstrap: Any, next_values: Any) -> Any:
        """r + γ · the target network's value of the next state; in float64, as rl_coach does in Python."""
        following = bootstrap[:, None] * tf.cast(next_values, tf.float64)
        return tf.cast(rewards[:, None] + following, tf.float32)

    def _policy_actions(self, *given: np.ndarray) -> np.ndarray:
        mean, log_deviation = self._ask(*given)
        return np.tanh(mean + np.exp(log_deviation) * self.rng.standard_normal(mean.shape, np.float32))

    def _policy_tensors(self) -> list[tuple[Any, str]]:
        return self._policy_outputs

    def _exploring(self, explore: Explore) -> Explore:
        return replace(explore, kind="sac")

    def _random_actions(self) -> np.ndarray:
        return self.rng.uniform(-1, 1, (self.cars, self.metadata.actions)).astype(np.float32)

    def _best(self, *given: np.ndarray) -> np.ndarray:
        return self._ask_best(*given)

    def _learn(self, observation: Observation) -> dict[str, float]:
        # Of a generator of its own: measuring changes no draw of the learning.
        seen = arrays(self.memory.sample(np.random.default_rng(self.iteration), self._batch_size).seen)
        before = self._ask(*seen)
        stats = super()._learn(observation)
        return {**stats, "kl": gaussian_divergence(*before, *self._ask(*seen))}

    def _update(self, batch: Batch) -> dict[str, float]:
        noise = self.rng.standard_normal((1, len(batch.rewards), self.metadata.actions), np.float32)
        return self._update_with(batch, noise)

    def _update_with(self, batch: Batch, noise: np.ndarray) -> dict[str, float]:
        """One gradient step with the policy's actions drawn by `noise` (1, batch, 2)."""
        seen = arrays(batch.seen)
        value_loss, critic_loss, log_probability, drawn_value, _ = self._step(
            *seen, *seen, *seen, *arrays(batch.following), noise, batch.actions, batch.rewards, batch.bootstrap
        )
        return {
            "loss": value_loss + critic_loss,
            "value_loss": value_loss,
            "critic_loss": critic_loss,
            "entropy": -log_probability,
            "mean_value": drawn_value,
        }
