"""The policy as a frozen TensorFlow graph with the node names that the car and its tools look for.

Names: DeepRacer's model archive (input `…/network_0/<sensor>/<sensor>`, outputs in CAR_OUTPUT). The graph holds the
policy alone, in operations that TensorFlow 1's readers know; its batch size is free.
"""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach import checkpoint_files, frozen_noise
from kuberacer.coach.algorithms import AGENT, ALGORITHMS
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.frozen_names import CAR_OUTPUT, input_names
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.spaces import Spaces
from kuberacer.errors import UserError

__all__ = [
    "CAR_OUTPUT", "export", "export_for_rollouts", "for_car", "freeze_checkpoint", "input_names", "policy_source",
]  # fmt: skip

Q_VALUES = f"{AGENT}/main/online/q_values"  # ours, float32: rl_coach's heads give distributions or quantiles too
# Where the graph computes it: (pattern of the node's name, operation that makes the car's output of it).
_SOURCE = {
    ("clipped_ppo", False): (rf"{AGENT}/main/online/network_\d+/ppo_head_\d+/policy", "Identity"),
    ("clipped_ppo", True): (rf"{AGENT}/main/online/network_\d+/ppo_head_\d+/policy_mean/BiasAdd", "Identity"),
    ("sac", True): (rf"{AGENT}/policy/online/network_0/sac_policy_head_\d+/policy_mean", "Tanh"),
}
_BY_NETWORK = {
    "main": (Q_VALUES, "Identity"),
    "actor": (rf"{AGENT}/actor/online/network_0/ddpg_actor_head_\d+/output_mean", "Identity"),
}
_VARIABLES = ("VariableV2", "Variable")
_SWITCHES = ("Switch", "RefSwitch")
_MERGES = ("Merge", "RefMerge")
_INPUTS = ("Placeholder", "PlaceholderWithDefault")


def export(coach: Any, metadata: Spaces, path: Path) -> None:
    """Freeze the live policy of a CoachGraph into `path`."""

    def read(names: list[str]) -> dict[str, np.ndarray]:
        return dict(zip(names, coach.session.run([f"{name}:0" for name in names]), strict=True))

    path.write_bytes(_frozen(coach.graph_def, read, metadata).SerializeToString())


def export_for_rollouts(
    coach: Any,
    metadata: Spaces,
    tensors: list[tuple[Any, str]],
    path: Path,
    draw: frozen_noise.Draw | None = None,
) -> list[str]:
    """Freeze what exploring needs of a CoachGraph's policy: tensors with the operation that makes an output of each.

    draw: gives the normal numbers of noisy layers; None: there are none. Returns the names of the outputs' nodes, in
    order. Where the car's graph says it all, that graph is written.
    """

    def read(names: list[str]) -> dict[str, np.ndarray]:
        return dict(zip(names, coach.session.run([f"{name}:0" for name in names]), strict=True))

    sources = [(tensor.op.name, operation) for tensor, operation in tensors]
    if draw is None and sources == [policy_source(coach.graph_def, metadata)]:
        outputs = {CAR_OUTPUT[metadata.algorithm]: sources[0]}
    else:
        outputs = {f"{AGENT}/rollout/output_{i}": source for i, source in enumerate(sources)}
    path.write_bytes(_frozen(coach.graph_def, read, metadata, outputs, draw or frozen_noise.means).SerializeToString())
    return list(outputs)


def freeze_checkpoint(folder: Path, path: Path, metadata: Spaces) -> None:
    """Freeze the newest checkpoint in `folder` (its .meta file has the graph) into `path`. Raises UserError."""
    prefix = checkpoint_files.newest(folder)
    reader = tf.train.load_checkpoint(str(prefix))
    meta = tf.MetaGraphDef()
    meta.ParseFromString(Path(f"{prefix}.meta").read_bytes())

    def read(names: list[str]) -> dict[str, np.ndarray]:
        missing = [name for name in names if not reader.has_tensor(name)]
        if missing:
            raise UserError(f"{prefix.name} has no variable {missing[0]}", "use a checkpoint that train has written")
        return {name: reader.get_tensor(name) for name in names}

    path.write_bytes(_frozen(meta.graph_def, read, metadata).SerializeToString())


def for_car(model: bytes, metadata: ModelMetadata) -> bytes:
    """A frozen graph as the car takes it, under the names of Algorithm.car: values become PPO's policy, an actor SAC's.

    The order of the actions stays the same.
    """
    algorithm = ALGORITHMS[metadata.algorithm]
    if algorithm.car == metadata.algorithm:
        return model
    graph = tf.GraphDef.FromString(model)
    (output,) = (node for node in graph.node if node.name == algorithm.output)
    output.name = CAR_OUTPUT[algorithm.car]
    if algorithm.car == "clipped_ppo":
        output.op = "Softmax"
    names = zip(input_names(metadata), input_names(replace(metadata, algorithm=algorithm.car)), strict=True)
    renamed = {name: new for name, new in names if name != new}
    for node in graph.node:
        node.name = renamed.get(node.name, node.name)
        node.input[:] = [renamed.get(name, name) for name in node.input]
    return graph.SerializeToString()


def policy_source(graph_def: Any, metadata: Spaces) -> tuple[str, str]:
    """(the node of rl_coach's graph that computes the policy, the operation that makes the car's output of it)."""
    key = metadata.algorithm, metadata.continuous
    pattern, operation = _SOURCE.get(key) or _BY_NETWORK[ALGORITHMS[metadata.algorithm].network]
    sources = [node.name for node in graph_def.node if re.fullmatch(pattern, node.name)]
    if len(sources) != 1:
        raise UserError(
            f"the graph has {len(sources)} nodes like {pattern}, one is needed",
            f"freeze a graph of {metadata.algorithm}, with the metadata that it was trained with",
        )
    return sources[0], operation


def _frozen(
    graph_def: Any,
    read: Callable[[list[str]], dict[str, np.ndarray]],
    metadata: Spaces,
    outputs: dict[str, tuple[str, str]] | None = None,
    draw: frozen_noise.Draw = frozen_noise.means,
) -> Any:
    """outputs: {name of the output's node: (node that computes it, operation that makes the output of it)}."""
    outputs = outputs or {CAR_OUTPUT[metadata.algorithm]: policy_source(graph_def, metadata)}
    sources = [source for source, _ in outputs.values()]
    needed = _as_in_driving(graph_def, sources, {})
    noisy = frozen_noise.computed(needed, read, draw)
    if noisy:
        needed = _as_in_driving(graph_def, sources, noisy)
    given = input_names(metadata)
    variables = [node.name for node in needed if node.op in _VARIABLES]
    values = read(variables)
    frozen = tf.GraphDef()
    frozen.versions.CopyFrom(graph_def.versions)
    for node in needed:
        if node.name in values:
            frozen.node.append(_constant(node.name, values[node.name]))
        elif node.op in _INPUTS:
            if node.name not in given:
                raise UserError(f"the policy needs the input {node.name}", f"its inputs may be {', '.join(given)}")
            frozen.node.append(_placeholder(node))
        else:
            frozen.node.append(node)
    for output, (source, operation) in outputs.items():
        if output != source:
            node = frozen.node.add(name=output, op=operation, input=[source])
            node.attr["T"].type = tf.float32.as_datatype_enum
    return _without_default_attributes(frozen)


def _as_in_driving(graph_def: Any, outputs: list[str], values: dict[str, np.ndarray]) -> list[Any]:
    """Copies of the nodes that `outputs` need when nothing trains, in the graph's order; `values` of some are known.

    tf.cond's branches (batch normalisation, dropout) are resolved to the one for driving: a Merge has it first.
    Devices, colocations and control inputs mean nothing to a frozen graph.
    """
    nodes = {node.name: node for node in graph_def.node}
    found: dict[str, Any] = {}
    waiting = list(outputs)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        if name in values:
            found[name] = _constant(name, values[name])
            continue
        node = tf.NodeDef()
        node.CopyFrom(nodes[name])
        node.device = ""
        node.attr.pop("_class", None)
        inputs = [text for text in node.input if not text.startswith("^")]
        if node.op in _SWITCHES + _MERGES:
            kind = node.attr["T"].type
            node.ClearField("attr")
            node.attr["T"].type = kind
            node.op, inputs = "Identity", inputs[:1]
        if node.op == "PlaceholderWithDefault":
            inputs = []
        del node.input[:]
        node.input.extend(inputs)
        found[name] = node
        waiting += [text.partition(":")[0] for text in inputs]
    return [found[node.name] for node in graph_def.node if node.name in found]


def _constant(name: str, value: np.ndarray) -> Any:
    node = tf.NodeDef(name=name, op="Const")
    node.attr["dtype"].type = tf.as_dtype(value.dtype).as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
    return node


def _placeholder(given: Any) -> Any:
    node = tf.NodeDef(name=given.name, op="Placeholder")
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["shape"].CopyFrom(given.attr["shape"])
    return node


def _without_default_attributes(graph_def: Any) -> Any:
    """TensorFlow 2 writes attributes (MatMul's grad_a, …) that older readers refuse even at their default."""
    from tensorflow.python.framework import meta_graph

    wrapped = tf.MetaGraphDef()
    wrapped.graph_def.CopyFrom(graph_def)
    meta_graph.strip_graph_default_valued_attrs(wrapped)
    return wrapped.graph_def
