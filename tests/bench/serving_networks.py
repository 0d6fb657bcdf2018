"""Policies for the benchmark of the model server: the networks of the presets and of DeepRacer, random weights."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SHALLOW = ((32, 8, 4), (64, 4, 2), (64, 3, 1))  # filters, size, stride: DeepRacer's shallow network
MIDDLEWARE = 512


class Layers:
    """A chain of layers from one input."""

    def __init__(self, name: str, shape: tuple[int, ...]):
        self.given = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", *shape])
        self.nodes: list[Any] = []
        self.kept: list[Any] = []
        self.last, self.rng = name, np.random.default_rng(0)

    def add(self, kind: str, *weights: np.ndarray, **settings: Any) -> "Layers":
        place = len(self.nodes)
        names = [f"{place}/{number}" for number in range(len(weights))]
        self.kept += [numpy_helper.from_array(w.astype(np.float32), n) for w, n in zip(weights, names, strict=True)]
        self.nodes.append(helper.make_node(kind, [self.last, *names], [f"{place}"], **settings))
        self.last = f"{place}"
        return self

    def dense(self, inputs: int, outputs: int) -> "Layers":
        return self.add("Gemm", self.rng.normal(0, 0.05, (inputs, outputs)), np.zeros(outputs))

    def save(self, folder: Path, output: str, actions: int, policy: dict[str, Any]) -> None:
        self.nodes[-1].output[0] = output
        found = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", actions])
        graph = helper.make_graph(self.nodes, "policy", [self.given], [found], self.kept)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
        onnx.checker.check_model(model)
        folder.mkdir(parents=True)
        (folder / "model.onnx").write_bytes(model.SerializeToString())
        common = {"version": 1, "run": "bench", "framework": "rl_coach", "output": output}
        (folder / "policy.json").write_text(json.dumps({**common, **policy}))


def mountain_car(folder: Path) -> None:
    """Two numbers, two layers of 64, three actions."""
    layers = Layers("observation", (2,)).dense(2, 64).add("Relu").dense(64, 64).add("Relu").dense(64, 3)
    policy = {
        "environment": "mountain_car", "algorithm": "dqn", "observation": {"shape": [2], "dtype": "float32"},
        "action": {"kind": "discrete", "n": 3}, "normalisation": {"mean": [-0.3, 0], "std": [0.9, 0.07]},
    }  # fmt: skip
    layers.save(folder, "q_values", 3, policy)


def race(folder: Path) -> None:
    """A frame of 120×160, DeepRacer's shallow network, five actions: 5.8 million weights."""
    layers = Layers("FRONT_FACING_CAMERA", (120, 160, 1)).add("Transpose", perm=[0, 3, 1, 2])
    channels, rows, columns = 1, 120, 160
    for filters, size, stride in SHALLOW:
        kernels = layers.rng.normal(0, 0.05, (filters, channels, size, size))
        layers.add("Conv", kernels, strides=[stride] * 2).add("Relu")
        channels, rows, columns = filters, (rows - size) // stride + 1, (columns - size) // stride + 1
    layers.add("Flatten").dense(channels * rows * columns, MIDDLEWARE).add("Relu").dense(MIDDLEWARE, 5).add("Softmax")
    actions = [{"steering_angle": float(angle), "speed": 1.0} for angle in (-30, -15, 0, 15, 30)]
    policy = {
        "environment": "race", "algorithm": "clipped_ppo", "action": {"kind": "discrete", "n": 5, "values": actions},
        "observation": {"name": "FRONT_FACING_CAMERA", "shape": [120, 160, 1], "dtype": "uint8", "frames": 1},
    }  # fmt: skip
    layers.save(folder, "probabilities", 5, policy)
