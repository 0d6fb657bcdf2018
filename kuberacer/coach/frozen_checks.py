"""A frozen graph in other runtimes, and the checkpoint's own graph to compare them with."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kuberacer.coach import checkpoint_files
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.freeze import CAR_OUTPUT, input_name, policy_source
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.metadata import ModelMetadata


def checkpoint_outputs(folder: Path, metadata: ModelMetadata, frames: np.ndarray) -> np.ndarray:
    """What the policy that was trained says of frames (M, 120, 160, stack): its whole graph, with saved variables."""
    prefix = checkpoint_files.newest(folder)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = tf.train.import_meta_graph(f"{prefix}.meta", clear_devices=True)
        session.run(tf.local_variables_initializer())  # "training" is one of them, and false
        saver.restore(session, str(prefix))
        source, operation = policy_source(graph.as_graph_def(), metadata)
        output = session.run(f"{source}:0", {f"{input_name(metadata)}:0": frames.astype(np.float32)})
    return np.tanh(output) if operation == "Tanh" else output


def tensorflow_outputs(model: Path, metadata: ModelMetadata, frames: np.ndarray) -> np.ndarray:
    policy = FrozenPolicy(model, metadata)
    try:
        return policy.outputs(frames)
    finally:
        policy.close()


def openvino_outputs(model: Path, metadata: ModelMetadata, frames: np.ndarray) -> np.ndarray:
    """OpenVINO, which the car's software uses, frame by frame as the car does."""
    import openvino

    core = openvino.Core()
    network = core.read_model(str(model))
    network.reshape([1, *frames.shape[1:]])
    # Some processors would compute in bf16 by themselves.
    ask = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.concatenate([ask([frame[None].astype(np.float32)])[0] for frame in frames])


def onnx_outputs(model: Path, metadata: ModelMetadata, frames: np.ndarray) -> np.ndarray:
    """ONNX Runtime, on the graph that tf2onnx makes of it."""
    import logging

    import onnxruntime
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    graph_def = tf.GraphDef.FromString(model.read_bytes())
    given, output = f"{input_name(metadata)}:0", f"{CAR_OUTPUT[metadata.algorithm]}:0"
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.onnx"))
        tf2onnx.convert.from_graph_def(
            graph_def, input_names=[given], output_names=[output], opset=17, output_path=path
        )
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run([output], {given: frames.astype(np.float32)})[0]


RUNTIMES: dict[str, Callable[[Path, ModelMetadata, np.ndarray], np.ndarray]] = {
    "tensorflow": tensorflow_outputs,
    "openvino": openvino_outputs,
    "onnxruntime": onnx_outputs,
}
