"""Calls of a TensorFlow graph from arrays, without what Session.run does in Python each time."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from kuberacer.coach.compat.tensorflow_names import tf


def compiled_call(session: Any, fetches: Any, feeds: Sequence[Any]) -> Callable[..., Any]:
    """A function of arrays, one for each tensor of `feeds`, that gives what session.run(fetches, …) would.

    fetches: a tensor, an operation, or a list of them; an operation's value is None. As Session.make_callable, which
    calls run(): for a small network that takes ten times the processor time of its arithmetic.
    """
    from tensorflow.core.protobuf import config_pb2

    wanted = fetches if isinstance(fetches, list) else [fetches]
    options = config_pb2.CallableOptions()
    options.run_options.inter_op_thread_pool = -1  # in the calling thread: nothing is handed over and waited for
    options.feed.extend(tensor.name for tensor in feeds)
    options.fetch.extend(each.name for each in wanted if not isinstance(each, tf.Operation))
    options.target.extend(each.name for each in wanted if isinstance(each, tf.Operation))
    run = session._make_callable_from_options(options)
    types = [tensor.dtype.as_numpy_dtype for tensor in feeds]

    def call(*arrays: np.ndarray) -> Any:
        found = iter(run(*(np.asarray(array, dtype) for array, dtype in zip(arrays, types, strict=True))))
        values = [None if isinstance(each, tf.Operation) else next(found) for each in wanted]
        return values if isinstance(fetches, list) else values[0]

    return call
