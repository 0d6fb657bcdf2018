"""The standard normal numbers in rl_coach's graph: those that SAC's actions and noisy layers are made of.

They are fed from the agent's own generator, so that a restored agent goes on with the same draws.
"""

from typing import Any

import numpy as np


def normals_of(*tensors: Any) -> list[Any]:
    """The random tensors that these are made of, nearest first."""
    waiting, seen, found = [tensor.op for tensor in tensors], set(), []
    while waiting:
        op = waiting.pop(0)
        if op in seen:
            continue
        seen.add(op)
        if op.type == "RandomStandardNormal":
            found.append(op.outputs[0])
        else:
            waiting += [given.op for given in op.inputs]
    return found


def draw(tensors: list[Any], rng: np.random.Generator) -> list[np.ndarray]:
    """A value for each, of a known shape."""
    return [rng.standard_normal(tensor.shape.as_list(), np.float32) for tensor in tensors]


def zeros(tensors: list[Any]) -> list[np.ndarray]:
    """No noise, as in driving."""
    return [np.zeros(tensor.shape.as_list(), np.float32) for tensor in tensors]
