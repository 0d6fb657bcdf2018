"""What makes one session call of a gradient step on rl_coach's networks: other inputs, applied gradients, copies."""

from collections.abc import Callable
from typing import Any

from kuberacer.coach.compat.tensorflow_names import tf


def rewired(outputs: list[Any], replaced: dict[Any, Any]) -> list[Any]:
    """The same outputs computed from other inputs: {placeholder: tensor}.

    rl_coach's losses read their targets, and its critic the action, from placeholders. Copying the few operations
    between those and the outputs keeps everything inside one session call; all else is shared with the original.
    """
    after = _reached([op for given in replaced for op in given.consumers()], lambda op: _consumers(op))
    before = _reached([output.op for output in outputs], lambda op: [given.op for given in op.inputs])
    copied = after & before
    graph_def, known = tf.GraphDef(), {given.name: tensor for given, tensor in replaced.items()}
    for op in copied:
        node = graph_def.node.add()
        node.CopyFrom(op.node_def)
        node.attr.pop("_class", None)
        del node.input[:]
        for given in op.inputs:
            node.input.append(given.name)
            if given.op not in copied:
                known.setdefault(given.name, given)
    names = [output.name for output in outputs]
    return tf.import_graph_def(graph_def, input_map=known, return_elements=names, name="kuberacer")


def _reached(start: list[Any], neighbours: Callable[[Any], list[Any]]) -> set[Any]:
    found, waiting = set(start), list(start)
    while waiting:
        fresh = [op for op in neighbours(waiting.pop()) if op not in found]
        found.update(fresh)
        waiting += fresh
    return found


def _consumers(op: Any) -> list[Any]:
    return [consumer for output in op.outputs for consumer in output.consumers()]


def gated_apply(*updates: tuple[Any, list[Any] | None]) -> Any:
    """An op that updates networks with their gradients, by rl_coach's optimizers. updates: (network, gradients of its
    weights, or None for those of its own loss).

    Weights are reference variables, read in place: one written while another gradient still needs it would corrupt that
    gradient, so no update may start before the last gradient is there. Moving averages of batch normalisation too.
    """
    pairs = [(network, _clipped(network, gradients or network.tensor_gradients)) for network, gradients in updates]
    averages = [op for network, _ in pairs for op in tf.get_collection(tf.GraphKeys.UPDATE_OPS, network.full_name)]
    applied = []
    with tf.control_dependencies([*(gradient for _, gradients in pairs for gradient in gradients), *averages]):
        ready = [(network, [tf.identity(gradient) for gradient in gradients]) for network, gradients in pairs]
    for network, gradients in ready:
        weights = zip(gradients, network.weights, strict=True)
        applied.append(network.optimizer.apply_gradients(weights, global_step=network.global_step))
    return tf.group(*applied)


def _clipped(network: Any, gradients: list[Any]) -> list[Any]:
    """The gradients, clipped by rl_coach's own operations where its parameters ask for it."""
    if not network.network_parameters.clip_gradients:
        return gradients
    own = network.tensor_gradients, network.clipped_grads
    try:
        network.tensor_gradients = gradients
        network._create_gradient_clipping_ops()
        return network.clipped_grads
    finally:
        network.tensor_gradients, network.clipped_grads = own


def copy_to_target(wrapper: Any, rate: float) -> Any:
    """An op: target = rate · online + (1 − rate) · target, for every weight of a NetworkWrapper."""
    pairs = list(zip(wrapper.target_network.weights, wrapper.online_network.weights, strict=True))
    if rate == 1:
        return tf.group(*(tf.assign(target, online) for target, online in pairs))
    return tf.group(*(tf.assign(target, rate * online + (1 - rate) * target) for target, online in pairs))
