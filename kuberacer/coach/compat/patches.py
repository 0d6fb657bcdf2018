"""Small mends to modules of rl_coach, made right after each is imported. Its files stay as published."""

import threading
import types
from collections.abc import Callable
from typing import Any

from kuberacer.coach.compat.tensorflow_names import tf


def _spaces(module: types.ModuleType) -> None:
    """gymnasium's Discrete.n is a NumPy integer; rl_coach tests for `int`."""
    plain = module.DiscreteActionSpace.__init__

    def init(self: Any, num_actions: Any, *rest: Any, **options: Any) -> None:
        plain(self, int(num_actions), *rest, **options)

    module.DiscreteActionSpace.__init__ = init


def _layers(module: types.ModuleType) -> None:
    """rl_coach 1.0.1 converts an explicit BatchnormActivationDropout layer to a tuple, which crashes."""
    kind = module.BatchnormActivationDropout
    module.tf_layer_dict[module.layers.BatchnormActivationDropout] = lambda base: kind(
        base.batchnorm, base.activation_function, base.dropout_rate
    )


def _embedder(module: types.ModuleType) -> None:
    """An image input takes uint8 frames too: a uint8 placeholder, cast, is the default of the float one.

    Names and variables stay the same; feeding bytes instead of floats moves a quarter of the memory per step.
    """
    kind = module.InputEmbedder
    plain = kind.__call__

    def call(self: Any, given: Any = None) -> Any:
        if given is not None or len(self.input_size) != 3:
            return plain(self, given)
        name = self.get_name()
        with tf.variable_scope(name):
            frames = tf.placeholder(tf.uint8, [None, *self.input_size], name=f"{name}_uint8")
            self.input = tf.placeholder_with_default(tf.cast(frames, tf.float32), frames.shape, name=name)
            self.input.uint8 = frames
            self._build_module()
        return self.input, self.output

    kind.__call__ = call


def _architecture(module: types.ModuleType) -> None:
    """rl_coach differentiates every output of a network by every input and every weight: a good part of the time
    that its graph takes to build. That is done when one of them is first read; only its own SAC, DDPG and TD3 do."""
    kind = module.TensorFlowArchitecture
    plain = kind._create_gradient_ops
    made_late = ("gradients_wrt_inputs", "gradients_weights_ph", "weighted_gradients")

    def create(self: Any) -> None:
        outputs, self.outputs = self.outputs, []
        plain(self)
        self.outputs = outputs
        for name in made_late:
            delattr(self, name)

    def missing(self: Any, name: str) -> Any:
        if name not in made_late:
            raise AttributeError(f"{type(self).__name__} has no attribute {name}")
        with self.total_loss.graph.as_default():
            self.gradients_wrt_inputs = [
                {key: tf.gradients(output, given) for key, given in self.inputs.items()} for output in self.outputs
            ]
            self.gradients_weights_ph = [tf.placeholder(tf.float32, output.shape) for output in self.outputs]
            self.weighted_gradients = [
                tf.gradients(output, self.weights, weight)
                for output, weight in zip(self.outputs, self.gradients_weights_ph, strict=True)
            ]
        return vars(self)[name]

    kind._create_gradient_ops, kind.__getattr__ = create, missing


def _utils(module: types.ModuleType) -> None:
    """rl_coach starts two server processes for the locks of a memory. One process is all there is here: its locks do,
    and nothing is left behind when it is killed."""
    module.Manager = lambda: types.SimpleNamespace(Lock=threading.Lock)  # type: ignore[attr-defined]


def _crop_filter(module: types.ModuleType) -> None:
    """NumPy no longer takes a list of slices for an index."""
    kind = module.ObservationCropFilter

    def crop(self: Any, observation: Any, update_internal_state: bool = True) -> Any:
        low, high = (
            self._replace_negative_one_in_crop_size(size, observation.shape) for size in (self.crop_low, self.crop_high)
        )
        return observation[tuple(slice(i, j) for i, j in zip(low, high, strict=False))]

    kind.filter = crop


AFTER_IMPORT: dict[str, Callable[[types.ModuleType], None]] = {
    "rl_coach.spaces": _spaces,
    "rl_coach.utils": _utils,
    "rl_coach.filters.observation.observation_crop_filter": _crop_filter,
    "rl_coach.architectures.tensorflow_components.architecture": _architecture,
    "rl_coach.architectures.tensorflow_components.layers": _layers,
    "rl_coach.architectures.tensorflow_components.embedders.embedder": _embedder,
}
