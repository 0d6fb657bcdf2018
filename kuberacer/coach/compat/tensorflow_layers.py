"""tf.layers as in TensorFlow 1.15, without Keras: the same variable names (kernel, bias, gamma, …) and arithmetic."""

import math
from typing import Any

from kuberacer.coach.compat.tensorflow_names import _size, tf


def _activated(y: Any, activation: Any) -> Any:
    return y if activation is None else activation(y)


def _pair(value: Any) -> list[int]:
    return [value, value] if isinstance(value, int) else list(value)


def _with_bias(y: Any, size: int, initializer: Any) -> Any:
    bias = tf.get_variable("bias", [size], y.dtype, initializer=initializer or tf.zeros_initializer())
    return tf.nn.bias_add(y, bias, name="BiasAdd")


def dense(
    inputs: Any,
    units: Any,
    activation: Any = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    name: str | None = None,
    **_: Any,
) -> Any:
    """(batch, …, k) -> (batch, …, units)."""
    units = _size(units)
    with tf.variable_scope(name, "dense"):
        shape = [int(inputs.shape[-1]), units]
        kernel = tf.get_variable("kernel", shape, inputs.dtype, initializer=kernel_initializer)
        if inputs.shape.ndims == 2:
            y = tf.matmul(inputs, kernel)
        else:
            y = tf.tensordot(inputs, kernel, 1)
            y.set_shape([*inputs.shape[:-1].as_list(), units])
        return _activated(_with_bias(y, units, bias_initializer) if use_bias else y, activation)


def conv2d(
    inputs: Any,
    filters: Any,
    kernel_size: Any,
    strides: Any = (1, 1),
    padding: str = "valid",
    data_format: str = "channels_last",
    activation: Any = None,
    use_bias: bool = True,
    kernel_initializer: Any = None,
    bias_initializer: Any = None,
    name: str | None = None,
    **_: Any,
) -> Any:
    """(batch, height, width, channels) -> (batch, height', width', filters)."""
    if data_format != "channels_last":
        raise ValueError(f"conv2d: data_format is {data_format!r}; only channels_last is supported")
    with tf.variable_scope(name, "conv2d"):
        shape = [*_pair(kernel_size), int(inputs.shape[-1]), int(filters)]
        kernel = tf.get_variable("kernel", shape, inputs.dtype, initializer=kernel_initializer)
        y = tf.nn.conv2d(inputs, kernel, strides=[1, *_pair(strides), 1], padding=padding.upper(), name="Conv2D")
        return _activated(_with_bias(y, int(filters), bias_initializer) if use_bias else y, activation)


def batch_normalization(
    inputs: Any, momentum: float = 0.99, epsilon: float = 1e-3, training: Any = False, name: str | None = None, **_: Any
) -> Any:
    """Batch statistics while training, moving averages otherwise; the averages' updates join UPDATE_OPS."""
    size, axes = [int(inputs.shape[-1])], list(range(inputs.shape.ndims - 1))
    with tf.variable_scope(name, "batch_normalization"):
        gamma = tf.get_variable("gamma", size, initializer=tf.ones_initializer())
        beta = tf.get_variable("beta", size, initializer=tf.zeros_initializer())
        moving_mean = tf.get_variable("moving_mean", size, initializer=tf.zeros_initializer(), trainable=False)
        moving_variance = tf.get_variable("moving_variance", size, initializer=tf.ones_initializer(), trainable=False)
        training = tf.convert_to_tensor(training, tf.bool)
        mean, variance = tf.nn.moments(inputs, axes)
        keep = tf.where(training, momentum, 1.0)
        for moving, current in ((moving_mean, mean), (moving_variance, variance)):
            update = tf.assign(moving, moving * keep + current * (1 - keep))
            tf.add_to_collection(tf.GraphKeys.UPDATE_OPS, update)
        mean = tf.cond(training, lambda: mean, lambda: tf.identity(moving_mean))
        variance = tf.cond(training, lambda: variance, lambda: tf.identity(moving_variance))
        return tf.nn.batch_normalization(inputs, mean, variance, beta, gamma, epsilon)


def dropout(inputs: Any, rate: float = 0.5, training: Any = False, name: str | None = None, **_: Any) -> Any:
    with tf.name_scope(name, "dropout"):
        training = tf.convert_to_tensor(training, tf.bool)
        return tf.cond(training, lambda: tf.nn.dropout(inputs, rate=rate), lambda: tf.identity(inputs))


def flatten(inputs: Any, **_: Any) -> Any:
    with tf.name_scope("Flatten"):
        return tf.reshape(inputs, [-1, math.prod(inputs.shape.as_list()[1:])])
