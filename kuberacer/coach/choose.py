"""How a policy explores, from what its network says: pure functions of NumPy, importable without TensorFlow.

The arithmetic is rl_coach's exploration policies' (kuberacer.coach.exploration says which one an agent has).
"""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np

KINDS = ("categorical", "epsilon", "gaussian", "sac", "random")


def categorical(probabilities: np.ndarray, uniforms: np.ndarray) -> np.ndarray:
    """A draw from each row of (N, actions), as np.random.choice(actions, p=row) makes it of a uniform number; (N,)."""
    cumulated = np.cumsum(probabilities, axis=1, dtype=np.float64)
    return (cumulated / cumulated[:, -1:] <= uniforms[:, None]).sum(axis=1)


def e_greedy(values: np.ndarray, epsilons: np.ndarray, uniforms: np.ndarray, random: np.ndarray) -> np.ndarray:
    """The best action of each row of (N, actions), or `random`'s where the uniform number is below epsilon."""
    return np.where(uniforms < epsilons, random, values.argmax(axis=1))


def additive_noise(mean: np.ndarray, deviation: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """mean + deviation · normal for (N, axes), as np.random.normal(mean, deviation) makes it; float32."""
    return (mean.astype(np.float64) + deviation.astype(np.float64) * normals).astype(np.float32)


def squashed_noise(mean: np.ndarray, deviation: np.ndarray, normals: np.ndarray) -> np.ndarray:
    """SAC's: tanh of a draw around the mean, (N, axes) float32."""
    return np.tanh(mean + deviation * normals)


@dataclass(frozen=True)
class Explore:
    """What to explore with. kind: "categorical" draws from probabilities, "epsilon" is greedy but for a share `value`,
    "gaussian" and "sac" draw around a mean, with the deviation `value` where the network gives none, "random" draws
    uniformly and does not ask the network."""

    kind: str
    value: float = 0.0
    actions: int = 0  # discrete actions; 0: two continuous axes

    @classmethod
    def parse(cls, data: Any) -> Self:
        """Raises ValueError for what is none."""
        if not isinstance(data, dict) or data.get("kind") not in KINDS:
            raise ValueError(f"exploration {data!r:.80}")
        return cls(str(data["kind"]), float(data.get("value", 0.0)), int(data.get("actions", 0)))

    def choose(self, policy: np.ndarray, deviation: np.ndarray | None, rng: np.random.Generator) -> np.ndarray:
        """Actions of N cars, from probabilities or values (N, actions), or mean and deviation (N, 2)."""
        cars = len(policy)
        if self.kind == "random":
            if self.actions:
                return rng.integers(self.actions, size=cars).astype(np.int32)
            return rng.uniform(-1, 1, (cars, 2)).astype(np.float32)
        if self.kind == "categorical":
            return categorical(policy, rng.random(cars)).astype(np.int32)
        if self.kind == "epsilon":
            random = rng.integers(policy.shape[1], size=cars)
            return e_greedy(policy, np.full(cars, self.value), rng.random(cars), random).astype(np.int32)
        if deviation is None and self.kind == "gaussian":  # of an actor without one; its critic knows -1..1 only
            noise = np.full(policy.shape, self.value)
            return np.clip(additive_noise(policy, noise, rng.standard_normal(policy.shape)), -1, 1)
        if deviation is None:
            raise ValueError(f"{self.kind} needs a deviation")
        if self.kind == "sac":
            return squashed_noise(policy, deviation, rng.standard_normal(policy.shape, np.float32))
        return additive_noise(policy, deviation, rng.standard_normal(policy.shape))

    def log_probability(self, actions: np.ndarray, policy: np.ndarray, deviation: np.ndarray | None) -> np.ndarray:
        """(N,) float32: of the actions, as this exploration draws them (densities where they are continuous)."""
        rows = np.arange(len(actions))
        if self.kind == "random":
            found = np.full(len(actions), -np.log(self.actions) if self.actions else -2 * np.log(2.0))
        elif self.kind == "categorical":
            chances = policy.astype(np.float64)
            found = np.log(np.maximum(chances[rows, actions] / chances.sum(axis=1), 1e-30))
        elif self.kind == "epsilon":
            greedy = policy.argmax(axis=1) == actions
            found = np.log(np.maximum(self.value / policy.shape[1] + (1 - self.value) * greedy, 1e-30))
        else:
            deviation = np.full(policy.shape, self.value) if deviation is None else deviation
            squashed = self.kind == "sac"
            drawn = np.arctanh(np.clip(actions.astype(np.float64), -1 + 1e-7, 1 - 1e-7)) if squashed else actions
            scale = np.maximum(deviation.astype(np.float64), 1e-12)
            parts = -0.5 * ((drawn - policy) / scale) ** 2 - np.log(scale) - 0.5 * np.log(2 * np.pi)
            if squashed:
                parts = parts - np.log(np.maximum(1 - np.tanh(drawn) ** 2, 1e-12))
            found = parts.sum(axis=1)
        return found.astype(np.float32)
