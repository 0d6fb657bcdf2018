"""Noisy layers (Fortunato et al. 2018) in a frozen graph: plain layers, whose weights are computed once.

A noisy layer's weights are mean + deviation · noise. A car drives with the means; a rollout worker with one draw of
the noise for each policy that it gets. So the frozen graph needs neither random numbers nor the deviations.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from kuberacer.coach.compat.tensorflow_names import tf

NORMAL = "RandomStandardNormal"
_VARIABLES = ("VariableV2", "Variable")
_COMPUTE: dict[str, Callable[..., np.ndarray]] = {
    "Abs": np.abs,
    "Add": np.add,
    "AddV2": np.add,
    "Identity": lambda value: value,
    "MatMul": np.matmul,
    "Mul": np.multiply,
    "Sign": np.sign,
    "Sqrt": np.sqrt,
}
Draw = Callable[[tuple[int, ...]], np.ndarray]


def means(shape: tuple[int, ...]) -> np.ndarray:
    """No noise."""
    return np.zeros(shape, np.float32)


def computed(nodes: list[Any], read: Callable[[list[str]], dict[str, np.ndarray]], draw: Draw) -> dict[str, np.ndarray]:
    """Values of the noisy weights, by their nodes' names; {} when no node is noisy.

    nodes: of a graph, in its order. read: gives variables. draw: gives the normal numbers of a shape.
    """
    noisy: set[str] = set()
    for node in nodes:
        if node.op == NORMAL or (node.op in _COMPUTE and noisy & set(_inputs(node))):
            noisy.add(node.name)
    known = {node.name: node for node in nodes}
    fixed: dict[str, bool] = {}

    def is_fixed(name: str) -> bool:
        """Whether it needs no input of the graph."""
        if name not in fixed:
            node = known[name]
            given = _inputs(node) if node.op in _COMPUTE else []
            leaf = node.op in (NORMAL, "Const", *_VARIABLES)
            fixed[name] = leaf or (bool(given) and all(is_fixed(each) for each in given))
        return fixed[name]

    noisy = {name for name in noisy if is_fixed(name)}
    needed = {name for node in nodes if node.name not in noisy for name in _inputs(node)} & noisy

    def value(name: str) -> np.ndarray:
        node = known[name]
        if node.op == NORMAL:
            return draw(tuple(tf.make_ndarray(known[_inputs(node)[0]].attr["value"].tensor)))
        if node.op == "Const":
            return tf.make_ndarray(node.attr["value"].tensor)
        if node.op in _VARIABLES:
            return read([name])[name]
        return _COMPUTE[node.op](*(value(each) for each in _inputs(node))).astype(np.float32)

    return {name: value(name) for name in sorted(needed)}


def _inputs(node: Any) -> list[str]:
    return [text.partition(":")[0] for text in node.input]
