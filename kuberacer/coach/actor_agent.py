"""Agents with an actor that gives the action itself: DDPG and TD3, with rl_coach's networks, losses and optimizers.

TD3 (Fujimoto et al. 2018): two critics of which the lower counts, noise on the target's actions, and an actor that
learns less often than the critics. DDPG is the same without the three.
"""

from typing import Any

import numpy as np

from kuberacer.coach.calls import compiled_call
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.gradient_step import gated_apply, rewired
from kuberacer.coach.replay import Batch
from kuberacer.coach.replay_agent import ReplayAgent
from kuberacer.coach.sensors import arrays
from kuberacer.errors import UserError

LOWEST, MEAN_OF_FIRST = 2, 3  # TD3's critic's outputs; DDPG's are the value and its mean


class ActorAgent(ReplayAgent):
    target_networks = ("actor", "critic")

    def _policy_network(self) -> Any:
        return self.coach.network("actor")

    def _build_calls(self) -> None:
        networks, seen_by = self.coach.agent.networks, self.coach.inputs
        actor, critic = networks["actor"].online_network, networks["critic"].online_network
        next_actor, next_critic = networks["actor"].target_network, networks["critic"].target_network
        session, action = self.coach.session, critic.inputs["action"]
        self._twin = self.metadata.algorithm == "td3"
        for option in ("use_non_zero_discount_for_terminal_states", "use_target_network_for_evaluation"):
            if getattr(self._algorithm, option):
                raise UserError(f"preset: {option} is not supported", "leave it False, rl_coach's default")
        value, mean = (LOWEST, MEAN_OF_FIRST) if self._twin else (0, 1)
        self._actions = actor.outputs[0]
        with self.coach.graph.as_default():
            noise = tf.placeholder(tf.float64, [None, self.metadata.actions], "kuberacer_noise")
            rewards = tf.placeholder(tf.float64, [None], "kuberacer_rewards")
            bootstrap = tf.placeholder(tf.float64, [None], "kuberacer_bootstrap")
            next_actions = next_actor.outputs[0]
            if self._twin:
                noisy = tf.clip_by_value(tf.cast(next_actions, tf.float64) + noise, -1, 1)
                next_actions = tf.cast(noisy, tf.float32)
            (following,) = rewired([next_critic.outputs[value]], {next_critic.inputs["action"]: next_actions})
            wanted = self._critic_target(rewards, bootstrap, following)
            (loss,) = rewired([critic.total_loss], self._given(critic, wanted))
            (drawn_value,) = rewired([critic.outputs[mean]], {action: self._actions})
            (uphill,) = tf.gradients(drawn_value, self._actions)
            learn_critic = critic, tf.gradients(loss, critic.weights)
            learn_actor = actor, tf.gradients(self._actions, actor.weights, -uphill)
            learn = gated_apply(learn_critic) if self._twin else gated_apply(learn_critic, learn_actor)
            learn_later = gated_apply(learn_actor) if self._twin else None
            mean_value = critic.outputs[mean]
        seen = [tensor for network in (next_actor, critic, next_critic) for tensor in seen_by(network)]
        given = [*seen, noise, action, rewards, bootstrap]
        self._ask = compiled_call(session, self._actions, seen_by(actor))
        given = [*given, *([] if self._twin else seen_by(actor))]
        self._learn_critic = compiled_call(session, [loss, mean_value, learn], given)
        if learn_later is not None:
            self._learn_actor = compiled_call(session, learn_later, [*seen_by(actor), *seen_by(critic)])

    def _critic_target(self, rewards: Any, bootstrap: Any, following: Any) -> Any:
        """In float64, as rl_coach does in Python."""
        wanted = rewards[:, None] + bootstrap[:, None] * tf.cast(following, tf.float64)
        if self._algorithm.clip_critic_targets:
            wanted = tf.clip_by_value(wanted, *self._algorithm.clip_critic_targets)
        return tf.stop_gradient(tf.cast(wanted, tf.float32))

    def _given(self, critic: Any, wanted: Any) -> dict[Any, Any]:
        """For the critic's loss: TD3's has no weights of its samples."""
        given = {critic.targets[0]: wanted}
        return given if self._twin else {**given, critic.importance_weights[0]: tf.ones_like(wanted)}

    def _policy_actions(self, *given: np.ndarray) -> np.ndarray:
        return self.exploration.choose(self._ask(*given)).clip(-1, 1)  # what the critic knows

    def _policy_tensors(self) -> list[tuple[Any, str]]:
        return [(self._actions, "Identity")]

    def _random_actions(self) -> np.ndarray:
        return self.rng.uniform(-1, 1, (self.cars, self.metadata.actions)).astype(np.float32)

    def _best(self, *given: np.ndarray) -> np.ndarray:
        return self._ask(*given)

    def _update(self, batch: Batch) -> dict[str, float]:
        count = len(batch.rewards)
        noise = np.zeros((count, self.metadata.actions))
        if self._twin:
            drawn = self.rng.standard_normal((count, self.metadata.actions)) * self._algorithm.policy_noise
            noise = drawn.clip(-self._algorithm.noise_clipping, self._algorithm.noise_clipping)
        return self._update_with(batch, noise)

    def _update_with(self, batch: Batch, noise: np.ndarray) -> dict[str, float]:
        """One gradient step with this noise (M, 2) on the next actions."""
        seen, following = arrays(batch.seen), arrays(batch.following)
        given = [*following, *seen, *following, noise, batch.actions, batch.rewards, batch.bootstrap]
        loss, mean_value, _ = self._learn_critic(*given, *(() if self._twin else seen))
        if self._twin and self.updates % self._algorithm.update_policy_every_x_episode_steps == 0:
            self._learn_actor(*seen, *seen)
        return {"loss": loss, "mean_value": mean_value}
