"""A frozen graph that drives: what evaluation uses."""

from pathlib import Path

import numpy as np

from kuberacer.coach.calls import compiled_call
from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.freeze import CAR_OUTPUT, input_names
from kuberacer.coach.sensors import Observation, arrays
from kuberacer.coach.session import session_config
from kuberacer.coach.spaces import Spaces
from kuberacer.errors import UserError


class FrozenPolicy:
    """model.pb in a TensorFlow session of its own, in fp32."""

    def __init__(self, model: Path | str, metadata: Spaces, threads: int = 2):
        """Raises UserError when the file is no frozen graph, or lacks the nodes that the metadata means."""
        path = Path(model)
        graph_def = tf.GraphDef()
        try:
            graph_def.ParseFromString(path.read_bytes())
        except Exception as error:
            raise UserError(f"{path}: no frozen TensorFlow graph ({type(error).__name__})", "give a model.pb") from None
        names = {node.name for node in graph_def.node}
        for name in (*input_names(metadata), CAR_OUTPUT[metadata.algorithm]):
            if name not in names:
                raise UserError(f"{path}: has no node {name}", "give the metadata that the model was trained with")
        self._metadata = metadata
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(graph_def, name="")
        self._session = tf.Session(graph=graph, config=session_config(threads))
        given = [graph.get_tensor_by_name(f"{name}:0") for name in input_names(metadata)]
        self.stack_size = int(given[0].shape[-1]) // metadata.views
        self._ask = compiled_call(self._session, graph.get_tensor_by_name(f"{CAR_OUTPUT[metadata.algorithm]}:0"), given)

    def outputs(self, observation: Observation) -> np.ndarray:
        """What the graph says of what M cars see: probabilities, values or continuous actions."""
        return self._ask(*(array.astype(np.float32) for array in arrays(observation)))

    def best_actions(self, observation: Observation) -> np.ndarray:
        """Actions as ModelMetadata.decode takes them: (M,) integers, or (M, 2)."""
        outputs = self.outputs(observation)
        return outputs if self._metadata.continuous else outputs.argmax(axis=1)

    def close(self) -> None:
        self._session.close()
