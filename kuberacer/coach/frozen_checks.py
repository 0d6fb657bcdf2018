"""A frozen graph in other runtimes, and the checkpoint's own graph to compare them with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from kuberacer.coach import checkpoint_files
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.freeze import input_names, policy_source
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.normals import normals_of, zeros
from kuberacer.coach.sensors import Observation, arrays
from kuberacer.coach.spaces import Spaces


def fed(metadata: Spaces, observation: Observation) -> dict[str, np.ndarray]:
    """The frozen graph's inputs by their tensors' names."""
    names = (f"{name}:0" for name in input_names(metadata))
    return {name: array.astype(np.float32) for name, array in zip(names, arrays(observation), strict=True)}


def checkpoint_outputs(folder: Path, metadata: Spaces, observation: Observation) -> np.ndarray:
    """What the policy that was trained says of what M cars see: its whole graph, with saved variables."""
    prefix = checkpoint_files.newest(folder)
    with tf.Graph().as_default() as graph, tf.Session() as session:
        saver = tf.train.import_meta_graph(f"{prefix}.meta", clear_devices=True)
        session.run(tf.local_variables_initializer())  # "training" is one of them, and false
        saver.restore(session, str(prefix))
        source, operation = policy_source(graph.as_graph_def(), metadata)
        computes = graph.get_tensor_by_name(f"{source}:0")
        noise = normals_of(computes)
        output = session.run(computes, {**fed(metadata, observation), **dict(zip(noise, zeros(noise), strict=True))})
    return np.tanh(output) if operation == "Tanh" else output


def tensorflow_outputs(model: Path, metadata: Spaces, observation: Observation) -> np.ndarray:
    policy = FrozenPolicy(model, metadata)
    try:
        return policy.outputs(observation)
    finally:
        policy.close()


def openvino_outputs(model: Path, metadata: Spaces, observation: Observation) -> np.ndarray:
    """OpenVINO, which the car's software uses, step by step as the car does."""
    import openvino

    core = openvino.Core()
    network = core.read_model(str(model))
    given = {name: array[:, None] for name, array in fed(metadata, observation).items()}  # batches of one
    network.reshape({name: [*array.shape[1:]] for name, array in given.items()})
    # Some processors would compute in bf16 by themselves.
    ask = core.compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    steps = [dict(zip(given, row, strict=True)) for row in zip(*given.values(), strict=True)]
    return np.concatenate([ask(step)[0] for step in steps])


def onnx_outputs(model: Path, metadata: Spaces, observation: Observation) -> np.ndarray:
    """ONNX Runtime, on the model.onnx beside it."""
    import onnxruntime

    given = zip(metadata.sensors, arrays(observation), strict=True)
    session = onnxruntime.InferenceSession(model.with_suffix(".onnx"), providers=["CPUExecutionProvider"])
    return session.run(None, {name: array.astype(np.float32) for name, array in given})[0]


RUNTIMES: dict[str, Callable[[Path, Spaces, Observation], np.ndarray]] = {
    "tensorflow": tensorflow_outputs,
    "openvino": openvino_outputs,
    "onnxruntime": onnx_outputs,
}
