"""Operations on rl_coach's networks that stay inside the session: applying gradients, copying to a target network."""

from typing import Any

from kuberacer.coach.compat.tensorflow_names import tf


def gated_apply(network: Any, gradients: list[Any] | None = None) -> Any:
    """An op that updates `network`'s weights with its loss's gradients (or the given ones), by rl_coach's optimizer.

    Weights are reference variables, read in place: one written while another gradient still needs it would corrupt that
    gradient, so no update may start before the last gradient is there. Moving averages of batch normalisation too.
    """
    gradients = _clipped(network, network.tensor_gradients if gradients is None else gradients)
    averages = tf.get_collection(tf.GraphKeys.UPDATE_OPS, scope=network.full_name)
    with tf.control_dependencies([*gradients, *averages]):
        ready = [tf.identity(gradient) for gradient in gradients]
    return network.optimizer.apply_gradients(zip(ready, network.weights, strict=True), global_step=network.global_step)


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
