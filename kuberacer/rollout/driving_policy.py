"""A frozen graph in OpenVINO: what rollout workers and the evaluator ask. Needs no TensorFlow.

OpenVINO reads the trainer's graph as it is: no conversion between an iteration and its rollouts.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from kuberacer.coach.choose import Explore
from kuberacer.coach.sensors import Observation, arrays


class DrivingPolicy:
    """Asks for what M cars see, any M. explore: what its trainer explores with."""

    def __init__(self, graph: Path, given: Sequence[str], outputs: Sequence[str], explore: Explore, threads: int = 1):
        """given, outputs: the nodes' names. Raises RuntimeError or ValueError for what is no such graph."""
        import openvino

        core = openvino.Core()
        network = core.read_model(str(graph))
        settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1}
        compiled = core.compile_model(network, "CPU", settings)
        self._request = compiled.create_infer_request()
        self._outputs = [_named(compiled.outputs, name) for name in outputs]
        self._given = [_named(compiled.inputs, name) for name in given]
        self.operations = {operation.get_type_name() for operation in network.get_ops()}
        self.explore = explore

    @property
    def shapes(self) -> list[tuple[int, ...]]:
        """Of the inputs, without the batch; -1: free."""
        return [
            tuple(-1 if side.is_dynamic else side.get_length() for side in list(port.get_partial_shape())[1:])
            for port in self._given
        ]

    def ask(self, observation: Observation) -> tuple[np.ndarray, np.ndarray | None]:
        """Probabilities or values (M, A), or mean and deviation (M, 2)."""
        given = zip(self._given, arrays(observation), strict=True)
        results = self._request.infer({port: array.astype(np.float32, order="C") for port, array in given})
        found = [np.array(results[output]) for output in self._outputs]
        return found[0], found[1] if len(found) > 1 else None

    def best_actions(self, observation: Observation) -> np.ndarray:
        """Deterministic actions, as ModelMetadata.decode takes them."""
        policy, _ = self.ask(observation)
        if self.explore.actions:
            return policy.argmax(axis=1)
        return np.tanh(policy) if self.explore.kind == "sac" else policy


def _named(ports: list, name: str):
    for port in ports:
        if any(given.split(":")[0] == name for given in port.get_names()):
            return port
    raise ValueError(f"the graph has no {name}")
