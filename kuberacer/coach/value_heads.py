"""What rl_coach's heads with values of actions say, and what they are to say: a number, a distribution or quantiles.

The targets are computed in float64 outside the graph, as rl_coach does.
"""

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.gradient_step import rewired


class ValueHead(ABC):
    """Of one network; `outputs` are (M, actions, …), of one action (M, …)."""

    def __init__(self, network: Any, algorithm: Any):
        self.network, self.algorithm = network, algorithm
        self.output = network.outputs[0]
        self.shape = tuple(self.output.shape.as_list()[2:])  # of what it says of one action
        self.actions = self.output.shape.as_list()[1]

    @abstractmethod
    def tensor(self) -> Any:
        """The actions' values (M, actions), float32, in the graph."""

    @abstractmethod
    def values(self, outputs: np.ndarray) -> np.ndarray:
        """The actions' values of outputs."""

    @abstractmethod
    def targets(self, following: np.ndarray, rewards: np.ndarray, bootstrap: np.ndarray) -> np.ndarray:
        """What the outputs of the actions taken should have been (M, …). following: of the best next actions."""

    @abstractmethod
    def loss(self, target: Any, actions: Any, weights: Any) -> tuple[Any, Any]:
        """(rl_coach's loss, each transition's error (M,)) for tensors of targets, actions and weights."""

    def _spread(self, target: Any, actions: Any) -> Any:
        """The outputs as they are, but for the actions taken the target."""
        chosen = tf.one_hot(actions, self.actions, on_value=True, off_value=False)
        for _ in self.shape:
            chosen = tf.expand_dims(chosen, -1)
        everywhere = tf.ones_like(self.output, tf.bool)
        spread = tf.expand_dims(target, 1) * tf.ones_like(self.output)
        return tf.stop_gradient(tf.where(tf.logical_and(chosen, everywhere), spread, self.output))


class Expectation(ValueHead):
    """DQN's, plain or duelling: the value itself."""

    def tensor(self) -> Any:
        return self.output

    def values(self, outputs: np.ndarray) -> np.ndarray:
        return outputs

    def targets(self, following: np.ndarray, rewards: np.ndarray, bootstrap: np.ndarray) -> np.ndarray:
        return rewards + bootstrap * following

    def loss(self, target: Any, actions: Any, weights: Any) -> tuple[Any, Any]:
        network = self.network
        (loss,) = rewired(
            [network.total_loss],
            {network.targets[0]: self._spread(target, actions), network.importance_weights[0]: weights[:, None]},
        )
        return loss, tf.abs(target - _taken(self.output, actions))


class Distribution(ValueHead):
    """C51's and Rainbow's: a probability for each of some returns (Bellemare et al. 2017).

    rl_coach does not weigh this loss by the weights of a prioritised replay.
    """

    def __init__(self, network: Any, algorithm: Any):
        super().__init__(network, algorithm)
        self.returns = np.linspace(algorithm.v_min, algorithm.v_max, algorithm.atoms)

    def tensor(self) -> Any:
        return tf.reduce_sum(self.output * self.returns.astype(np.float32), axis=2)

    def values(self, outputs: np.ndarray) -> np.ndarray:
        return np.dot(outputs, self.returns)

    def targets(self, following: np.ndarray, rewards: np.ndarray, bootstrap: np.ndarray) -> np.ndarray:
        """Algorithm 1 of the paper; what falls on one of the returns exactly stays there whole, which the paper and
        rl_coach lose."""
        count, atoms = following.shape
        low, high = self.returns[0], self.returns[-1]
        moved = np.clip(rewards + bootstrap * self.returns[:, None], low, high)  # (atoms, M)
        place = (moved - low) / (self.returns[1] - low)
        under, over = np.floor(place).astype(int), np.ceil(place).astype(int)
        shares = np.stack([np.where(under == over, 1.0, over - place), place - under], axis=1)
        cells = np.stack([under, over], axis=1) + atoms * np.arange(count)  # (atoms, 2, M)
        mass = (shares * following.T[:, None]).ravel()  # summed in rl_coach's order
        return np.bincount(cells.ravel(), mass, minlength=count * atoms).reshape(count, atoms)

    def loss(self, target: Any, actions: Any, weights: Any) -> tuple[Any, Any]:
        wanted = {self.network.targets[0]: self._spread(target, actions)}
        loss, each = rewired([self.network.total_loss, self.network.output_heads[0].loss[0]], wanted)
        return loss, _taken(each, actions)


class Quantiles(ValueHead):
    """QR-DQN's: returns that each of some shares of the outcomes stays below (Dabney et al. 2018)."""

    def tensor(self) -> Any:
        return tf.reduce_mean(self.output, axis=2)

    def values(self, outputs: np.ndarray) -> np.ndarray:
        return np.dot(outputs, np.ones(self.shape) / float(self.shape[0]))

    def targets(self, following: np.ndarray, rewards: np.ndarray, bootstrap: np.ndarray) -> np.ndarray:
        return rewards[:, None] + bootstrap[:, None] * following

    def loss(self, target: Any, actions: Any, weights: Any) -> tuple[Any, Any]:
        head = self.network.output_heads[0]
        said = _taken(self.output, actions)
        shares = np.arange(self.shape[0] + 1) / float(self.shape[0])
        midpoints = (0.5 * (shares[1:] + shares[:-1])).astype(np.float32)
        order = tf.nn.top_k(-tf.stop_gradient(said), k=self.shape[0]).indices
        places = tf.stack([tf.range(tf.shape(actions)[0]), actions], axis=1)
        given = {head.target[0]: target, head.actions: places, head.quantile_midpoints: tf.gather(midpoints, order)}
        (loss,) = rewired([self.network.total_loss], given)
        return loss, tf.abs(tf.reduce_mean(target, axis=1) - tf.reduce_mean(said, axis=1))


def _taken(outputs: Any, actions: Any) -> Any:
    """What outputs (M, actions, …) say of the actions (M,)."""
    return tf.gather_nd(outputs, tf.stack([tf.range(tf.shape(actions)[0]), actions], axis=1))


def value_head(network: Any, algorithm: Any) -> ValueHead:
    head = network.output_heads[0]
    if hasattr(head, "quantile_midpoints"):
        return Quantiles(network, algorithm)
    return (Distribution if hasattr(head, "z_values") else Expectation)(network, algorithm)
