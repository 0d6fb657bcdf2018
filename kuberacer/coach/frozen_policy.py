"""A frozen graph that drives: what evaluation uses."""

from pathlib import Path

import numpy as np

from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.freeze import CAR_OUTPUT, input_name
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.session import session_config
from kuberacer.errors import UserError


class FrozenPolicy:
    """model.pb in a TensorFlow session of its own, in fp32."""

    def __init__(self, model: Path | str, metadata: ModelMetadata, threads: int = 2):
        """Raises UserError when the file is no frozen graph, or lacks the nodes that the metadata means."""
        path = Path(model)
        graph_def = tf.GraphDef()
        try:
            graph_def.ParseFromString(path.read_bytes())
        except Exception as error:
            raise UserError(f"{path}: no frozen TensorFlow graph ({type(error).__name__})", "give a model.pb") from None
        names = {node.name for node in graph_def.node}
        for name in (input_name(metadata), CAR_OUTPUT[metadata.algorithm]):
            if name not in names:
                raise UserError(f"{path}: has no node {name}", "give the metadata that the model was trained with")
        self._metadata = metadata
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
        self._session = tf.Session(graph=graph, config=session_config(threads))
        frames = graph.get_tensor_by_name(f"{input_name(metadata)}:0")
        self.stack_size = int(frames.shape[-1])
        self._ask = self._session.make_callable(f"{CAR_OUTPUT[metadata.algorithm]}:0", [frames])

    def outputs(self, frames: np.ndarray) -> np.ndarray:
        """What the graph says of frames (M, 120, 160, stack) uint8: probabilities, values or continuous actions."""
        return self._ask(frames.astype(np.float32))

    def best_actions(self, frames: np.ndarray) -> np.ndarray:
        """Actions as ModelMetadata.decode takes them: (M,) integers, or (M, 2)."""
        outputs = self.outputs(frames)
        return outputs if self._metadata.continuous else outputs.argmax(axis=1)

    def close(self) -> None:
        self._session.close()
