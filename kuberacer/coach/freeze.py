"""The policy as a frozen TensorFlow graph with the node names that the car and its tools look for.

Names: DeepRacer's model archive (input `…/network_0/<sensor>/<sensor>`, outputs in CAR_OUTPUT). The graph holds the
policy alone, in operations that TensorFlow 1's readers know; its batch size is free.
"""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach import checkpoint_files
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError

AGENT = "main_level/agent"
CAR_OUTPUT = {
    "clipped_ppo": f"{AGENT}/main/online/network_1/ppo_head_0/policy",
    "sac": f"{AGENT}/policy/online/network_0/sac_policy_head_0/policy",
    "dqn": f"{AGENT}/main/online/network_0/q_values_head_0/q_values_head_0_target",
}
# Where rl_coach's graph computes it: (pattern of the node's name, operation that makes the car's output of it).
_SOURCE = {
    ("clipped_ppo", False): (rf"{AGENT}/main/online/network_\d+/ppo_head_\d+/policy", "Identity"),
    ("clipped_ppo", True): (rf"{AGENT}/main/online/network_\d+/ppo_head_\d+/policy_mean/BiasAdd", "Identity"),
    ("sac", True): (rf"{AGENT}/policy/online/network_0/sac_policy_head_\d+/policy_mean", "Tanh"),
    ("dqn", False): (rf"{AGENT}/main/online/network_0/q_values_head_\d+/output/BiasAdd", "Identity"),
}
_VARIABLES = ("VariableV2", "Variable")
_SWITCHES = ("Switch", "RefSwitch")
_MERGES = ("Merge", "RefMerge")
_INPUTS = ("Placeholder", "PlaceholderWithDefault")


def input_name(metadata: ModelMetadata) -> str:
    """The name of the frozen graph's input node: (batch, 120, 160, stack) float32, pixels 0..255."""
    network = "policy" if metadata.algorithm == "sac" else "main"
    return f"{AGENT}/{network}/online/network_0/{metadata.input_name}/{metadata.input_name}"


def export(coach: Any, metadata: ModelMetadata, path: Path) -> None:
    """Freeze the live policy of a CoachGraph into `path`."""

    def read(names: list[str]) -> dict[str, np.ndarray]:
        return dict(zip(names, coach.session.run([f"{name}:0" for name in names]), strict=True))

    path.write_bytes(_frozen(coach.graph_def, read, metadata).SerializeToString())


def freeze_checkpoint(folder: Path, path: Path, metadata: ModelMetadata) -> None:
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
    """A frozen graph as the car takes it. The car knows clipped_ppo and sac: a DQN's values become PPO's policy."""
    if metadata.algorithm != "dqn":
        return model
    graph = tf.GraphDef.FromString(model)
    (output,) = (node for node in graph.node if node.name == CAR_OUTPUT["dqn"])
    output.name = CAR_OUTPUT["clipped_ppo"]
    output.op = "Softmax"  # the order of the actions stays the same
    return graph.SerializeToString()


def policy_source(graph_def: Any, metadata: ModelMetadata) -> tuple[str, str]:
    """(the node of rl_coach's graph that computes the policy, the operation that makes the car's output of it)."""
    pattern, operation = _SOURCE[metadata.algorithm, metadata.continuous]
    sources = [node.name for node in graph_def.node if re.fullmatch(pattern, node.name)]
    if len(sources) != 1:
        raise UserError(
            f"the graph has {len(sources)} nodes like {pattern}, one is needed",
            f"freeze a graph of {metadata.algorithm}, with the metadata that it was trained with",
        )
    return sources[0], operation


def _frozen(graph_def: Any, read: Callable[[list[str]], dict[str, np.ndarray]], metadata: ModelMetadata) -> Any:
    source, operation = policy_source(graph_def, metadata)
    needed = _as_in_driving(graph_def, source)
    given = input_name(metadata)
    variables = [node.name for node in needed if node.op in _VARIABLES]
    values = read(variables)
    frozen = tf.GraphDef()
    frozen.versions.CopyFrom(graph_def.versions)
    for node in needed:
        if node.name in values:
            frozen.node.append(_constant(node.name, values[node.name]))
        elif node.op in _INPUTS:
            if node.name != given:
                raise UserError(f"the policy needs the input {node.name}", f"the only input may be {given}")
            frozen.node.append(_placeholder(node))
        else:
            frozen.node.append(node)
    output = CAR_OUTPUT[metadata.algorithm]
    if output != source:
        node = frozen.node.add(name=output, op=operation, input=[source])
        node.attr["T"].type = tf.float32.as_datatype_enum
    return _without_default_attributes(frozen)


def _as_in_driving(graph_def: Any, output: str) -> list[Any]:
    """Copies of the nodes that `output` needs when nothing trains, in the graph's order.

    tf.cond's branches (batch normalisation, dropout) are resolved to the one for driving: a Merge has it first.
    Devices, colocations and control inputs mean nothing to a frozen graph.
    """
    nodes = {node.name: node for node in graph_def.node}
    found: dict[str, Any] = {}
    waiting = [output]
    while waiting:
        name = waiting.pop()
        if name in found:
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
