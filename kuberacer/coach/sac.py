"""Soft actor-critic: rl_coach's four networks, losses and optimizers, trained from arrays.

rl_coach's critic takes its action from a placeholder, so a gradient step needs three session calls: what the policy
would do, what the critic says of it, and then the gradient steps of policy, value and critic in one.
Noise comes from the agent's own generator, so that a restored agent goes on with the same draws.
"""

from typing import Any

import numpy as np

from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.gradient_step import gated_apply
from kuberacer.coach.replay_agent import Batch, ReplayAgent


def random_normal_source(tensor: Any) -> Any:
    """The standard normal numbers that a sampled tensor of the graph is made of: (1, batch, axes)."""
    waiting, seen = [tensor.op], set()
    while waiting:
        op = waiting.pop(0)
        if op.type == "RandomStandardNormal":
            return op.outputs[0]
        seen.add(op)
        waiting += [given.op for given in op.inputs if given.op not in seen]
    raise ValueError(f"{tensor.name} is not sampled from a normal distribution")


class SAC(ReplayAgent):
    target_network = "v"

    def _policy_network(self) -> Any:
        return self.coach.network("policy")

    def _build_calls(self) -> None:
        policy, critic, value = (self.coach.network(name) for name in ("policy", "q", "v"))
        target = self.coach.agent.networks["v"].target_network
        session, frames_of = self.coach.session, self.coach.frames_input
        mean, log_deviation, raw, actions, log_probability, mean_log_probability = policy.outputs
        noise = random_normal_source(raw)
        critic_head = critic.output_heads[0]
        critic_action, action_weight = critic.inputs["output_0_0"], policy.gradients_weights_ph[3]
        with self.coach.graph.as_default():
            # Equation 13 of Haarnoja et al. 2018, as rl_coach takes it: ∇ log π − ∂Q/∂a · ∇a.
            gradients = tf.gradients(
                [mean_log_probability, actions],
                policy.weights,
                grad_ys=[tf.ones_like(mean_log_probability), -action_weight],
            )
            apply = tf.group(gated_apply(policy, gradients), gated_apply(value), gated_apply(critic))
            best = tf.tanh(mean)
        self._ask = session.make_callable([mean, log_deviation], [frames_of(policy)])
        self._ask_best = session.make_callable(best, [frames_of(policy)])
        self._ask_policy = session.make_callable(
            [actions, log_probability, target.outputs[0]], [frames_of(policy), noise, frames_of(target)]
        )
        self._ask_critic = session.make_callable(
            [critic.outputs[0], *critic.gradients_wrt_inputs[1]["output_0_0"]], [frames_of(critic), critic_action]
        )
        given = [frames_of(policy), noise, action_weight]
        given += [frames_of(value), value.targets[0], value.importance_weights[0]]
        given += [frames_of(critic), critic_action, critic.targets[0]]
        self._step = session.make_callable(
            [value.total_loss, critic_head.q1_loss, critic_head.q2_loss, mean_log_probability, apply], given
        )

    def _policy_actions(self, frames: np.ndarray) -> np.ndarray:
        mean, log_deviation = self._ask(frames)
        return np.tanh(mean + np.exp(log_deviation) * self.rng.standard_normal(mean.shape, np.float32))

    def _random_actions(self) -> np.ndarray:
        return self.rng.uniform(-1, 1, (self.cars, 2)).astype(np.float32)

    def _best(self, frames: np.ndarray) -> np.ndarray:
        return self._ask_best(frames)

    def _update(self, batch: Batch) -> dict[str, float]:
        noise = self.rng.standard_normal((1, len(batch[0]), 2), np.float32)
        return self._update_with(batch, noise)

    def _update_with(self, batch: Batch, noise: np.ndarray) -> dict[str, float]:
        """One gradient step with the policy's actions drawn by `noise` (1, batch, 2)."""
        frames, next_frames, actions, rewards, terminated = batch
        drawn, log_probability, next_value = self._ask_policy(frames, noise, next_frames)
        drawn_value, action_gradient = self._ask_critic(frames, drawn)
        value_target = drawn_value - log_probability[:, None]
        critic_target = rewards[:, None] + (1.0 - terminated[:, None]) * self._algorithm.discount * next_value
        weights = np.ones((len(frames), 1), np.float32)
        value_loss, q1_loss, q2_loss, entropy, _ = self._step(
            frames, noise, action_gradient, frames, value_target, weights, frames, actions, critic_target
        )
        return {
            "loss": value_loss + q1_loss + q2_loss,
            "value_loss": value_loss,
            "critic_loss": q1_loss + q2_loss,
            "entropy": -entropy,
            "mean_value": float(drawn_value.mean()),
        }
