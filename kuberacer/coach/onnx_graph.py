"""A frozen graph as an ONNX model: what serving runs, without TensorFlow.

One float32 input a sensor, under the sensor's name and with a free batch; one output, named by what it is.
"""

from pathlib import Path
from typing import Any

from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.frozen_names import CAR_OUTPUT, input_names, output_kind
from kuberacer.coach.spaces import Spaces

OPSET = 17
BATCH = "batch"


def convert(graph: Path, metadata: Spaces, target: Path) -> None:
    """Write `target` from a model.pb of this metadata."""
    import logging

    import tf2onnx  # seconds, which only freezing has

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    given = dict(zip((f"{name}:0" for name in input_names(metadata)), metadata.sensors, strict=True))
    output = f"{CAR_OUTPUT[metadata.algorithm]}:0"
    model, _ = tf2onnx.convert.from_graph_def(
        tf.GraphDef.FromString(graph.read_bytes()), input_names=list(given), output_names=[output], opset=OPSET
    )
    _rename(model.graph, {**given, output: output_kind(metadata)})
    for value in [*model.graph.input, *model.graph.output]:
        value.type.tensor_type.shape.dim[0].dim_param = BATCH
    target.write_bytes(model.SerializeToString(deterministic=True))


def _rename(graph: Any, names: dict[str, str]) -> None:
    for value in [*graph.input, *graph.output]:
        value.name = names.get(value.name, value.name)
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(name, name) for name in ends]
