"""`tensorflow` as rl_coach knows it: tensorflow.compat.v1, with `layers` and `contrib`, which TensorFlow 2 dropped."""

import contextlib
import functools
import gc
import os
import sys
import tempfile
import types
from collections.abc import Iterator
from typing import Any

_NOISE = (
    "All log messages before absl::InitializeLog",
    "oneDNN custom operations are on",
    "only on platforms with AVX-512",
)


@contextlib.contextmanager
def without_noise() -> Iterator[None]:
    """Lines that TensorFlow's C++ side writes though nothing is wrong are dropped; the rest of stderr follows after."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as written:
        os.dup2(written.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            written.seek(0)
            for line in written.read().decode(errors="replace").splitlines():
                if not any(noise in line for noise in _NOISE):
                    print(line, file=sys.stderr)


@contextlib.contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Of what is imported nothing is garbage: it is never looked through, now or later. Saves a tenth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def _load() -> Any:
    """TensorFlow 1's names, in graph mode, without Keras (loaded eagerly otherwise: a third of the time)."""
    # Both are read once, at the first import. TensorFlow uses oneDNN's convolutions by itself only where the processor
    # has AVX-512 for networks: with AVX2 alone they train 1.4 times as fast as its own (docs/performance.md).
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    before = os.environ.get("TF_USE_LEGACY_KERAS")
    if "tensorflow" not in sys.modules:
        os.environ["TF_USE_LEGACY_KERAS"] = "1"  # makes TensorFlow look for tf_keras, which is not installed
    try:
        with without_noise(), _without_garbage_collection():
            import tensorflow
    finally:
        os.environ.pop("TF_USE_LEGACY_KERAS", None)
        if before is not None:
            os.environ["TF_USE_LEGACY_KERAS"] = before
    v1 = tensorflow.compat.v1
    v1.logging.set_verbosity(v1.logging.ERROR)
    v1.disable_v2_behavior()  # graph mode, reference variables, TensorFlow 1's control flow and shapes
    return v1


tf = _load()


def _size(value: Any) -> int:
    """rl_coach passes one-element arrays as sizes; NumPy 2 no longer takes them as integers."""
    return int(value[0]) if getattr(value, "ndim", 0) else int(value)


def _placeholder(dtype: Any, shape: Any = None, name: str | None = None) -> Any:
    if isinstance(shape, list | tuple):
        shape = [None if size is None else _size(size) for size in shape]
    return tf.placeholder(dtype, shape, name)


@functools.cache
def _module() -> types.ModuleType:
    from kuberacer.coach.compat import tensorflow_distributions, tensorflow_layers

    class ScipyOptimizerInterface:
        def __init__(self, *_: Any, **__: Any):
            raise NotImplementedError("the LBFGS optimizer needs tf.contrib.opt, which TensorFlow 2 no longer has")

    contrib = types.SimpleNamespace(
        layers=types.SimpleNamespace(
            flatten=tensorflow_layers.flatten,
            xavier_initializer=lambda uniform=True, **options: tf.glorot_uniform_initializer(**options),
        ),
        framework=types.SimpleNamespace(
            get_name_scope=lambda: tf.get_default_graph().get_name_scope(),
            load_checkpoint=tf.train.load_checkpoint,
        ),
        distributions=types.SimpleNamespace(
            Categorical=tf.distributions.Categorical,
            MultivariateNormalDiag=tensorflow_distributions.MultivariateNormalDiag,
        ),
        opt=types.SimpleNamespace(ScipyOptimizerInterface=ScipyOptimizerInterface),
    )
    shim = types.ModuleType("kuberacer.coach.compat.tensorflow")
    shim.__dict__.update(
        __getattr__=lambda name: getattr(tf, name),
        placeholder=_placeholder,
        layers=tensorflow_layers,
        contrib=contrib,
    )
    return shim


MODULES = {"tensorflow": _module}
