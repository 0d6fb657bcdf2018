"""Small policies as a run publishes them: policy.json and model.onnx, with networks whose answers are known."""

import base64
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

ROWS, COLUMNS = 120, 160
ACTIONS = [{"steering_angle": 30.0, "speed": 1.0}, {"steering_angle": -30.0, "speed": 0.8}]
MOUNTAIN_CAR = {
    "shape": [2], "dtype": "float32", "low": [-1.2, -0.07], "high": [0.6, 0.07], "meaning": ["position", "velocity"]
}  # fmt: skip
CAMERA = {
    "name": "FRONT_FACING_CAMERA", "shape": [ROWS, COLUMNS, 1], "dtype": "uint8", "low": 0, "high": 255, "frames": 1
}  # fmt: skip
LIDAR = {"name": "LIDAR", "shape": [3], "dtype": "float32", "low": 0.15, "high": 1.0}


def policy(**keys: Any) -> dict[str, Any]:
    """policy.json of Mountain Car with discrete actions, or with these keys."""
    return {
        "version": 1, "run": "run-1", "environment": "mountain_car", "framework": "rl_coach", "algorithm": "dqn",
        "graph": {"file": "model.pb", "input": "i", "output": "o"}, "observation": MOUNTAIN_CAR,
        "action": {"kind": "discrete", "n": 3, "meaning": ["left", "nothing", "right"]}, "output": "q_values",
        "scaled": False, "normalisation": {"mean": [-0.3, 0.0], "std": [0.9, 0.07], "clip": None},
        "examples": [{"observation": [0.5, -0.5], "action": 0}, {"observation": [-0.5, 0.5], "action": 2}], **keys,
    }  # fmt: skip


def write(folder: Path, keys: dict[str, Any], model: onnx.ModelProto) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "policy.json").write_text(json.dumps(keys))
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder


def linear(inputs: dict[str, tuple[int, ...]], weights: np.ndarray, output: str = "q_values") -> onnx.ModelProto:
    """outputs = all values of all inputs, flat and in their order, times `weights`."""
    given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, ["batch", *shape]) for n, shape in inputs.items()]
    nodes = [helper.make_node("Flatten", [name], [f"{name}/flat"]) for name in inputs]
    nodes += [
        helper.make_node("Concat", [f"{name}/flat" for name in inputs], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "weights"], [output]),
    ]
    found = helper.make_tensor_value_info(output, TensorProto.FLOAT, ["batch", weights.shape[1]])
    kept = numpy_helper.from_array(weights.astype(np.float32), "weights")
    graph = helper.make_graph(nodes, "policy", given, [found], [kept])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def endless(actions: int = 3) -> onnx.ModelProto:
    """A network that takes for ever when it is asked of a first value above 1: a loop of additions."""
    info = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go on"]),
            helper.make_node("Add", ["sum", "sum"], ["more"]),
            helper.make_node("Mul", ["more", "half"], ["next"]),
        ],
        "body",
        [info("turn", TensorProto.INT64, []), info("go", TensorProto.BOOL, []), info("sum", TensorProto.FLOAT, None)],
        [info("go on", TensorProto.BOOL, []), info("next", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.float32(0.5), "half")],
    )
    nodes = [
        helper.make_node("ReduceMax", ["observation"], ["largest"], keepdims=0),
        helper.make_node("Greater", ["largest", "one"], ["many"]),
        helper.make_node("Where", ["many", "all", "once"], ["turns"]),
        helper.make_node("Loop", ["turns", "yes", "observation"], ["looped"], body=body),
        helper.make_node("MatMul", ["looped", "weights"], ["q_values"]),
    ]
    kept = [
        numpy_helper.from_array(np.float32(1), "one"),
        numpy_helper.from_array(np.int64(1), "once"),
        numpy_helper.from_array(np.int64(1 << 40), "all"),
        numpy_helper.from_array(np.bool_(True), "yes"),
        numpy_helper.from_array(np.eye(2, actions, dtype=np.float32), "weights"),
    ]
    given = [info("observation", TensorProto.FLOAT, ["batch", 2])]
    graph = helper.make_graph(nodes, "policy", given, [info("q_values", TensorProto.FLOAT, ["batch", actions])], kept)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def mountain_car(folder: Path, **keys: Any) -> Path:
    """Pushes where the car moves already."""
    weights = np.array([[0, 0, 0], [-1, 0, 1]])
    return write(folder, policy(**keys), linear({"observation": (2,)}, weights))


def continuous(folder: Path) -> Path:
    """The same with one axis of -1..1, whose bounds are -2 and 4."""
    keys = policy(
        environment="mountain_car_continuous", algorithm="clipped_ppo", output="mean", scaled=True, examples=[],
        action={"kind": "continuous", "shape": [1], "low": [-2.0], "high": [4.0], "meaning": ["push"]},
    )  # fmt: skip
    return write(folder, keys, linear({"observation": (2,)}, np.array([[0], [1]]), "mean"))


def race(folder: Path, lidar: bool = False) -> Path:
    """Steers to the brighter half of the picture; with a lidar to the right where its first value is above 0.5."""
    image = np.zeros((ROWS, COLUMNS, 1))
    image[:, : COLUMNS // 2] = 1 / (ROWS * COLUMNS)
    weights = np.stack([image.ravel(), image[:, ::-1].ravel()], axis=1)
    inputs: dict[str, tuple[int, ...]] = {CAMERA["name"]: (ROWS, COLUMNS, 1)}
    keys = policy(
        environment="race", algorithm="clipped_ppo", output="probabilities", normalisation=None,
        observation={"inputs": [CAMERA, LIDAR]} if lidar else CAMERA,
        action={"kind": "discrete", "n": 2, "meaning": None, "values": ACTIONS},
        examples=[] if lidar else [{"observation": {"image": [png(bright(left=True))]}, "action": 0}],
    )  # fmt: skip
    if lidar:
        inputs |= {LIDAR["name"]: (3,)}
        weights = np.concatenate([weights, [[0, 1000], [0, 0], [0, 0]]])
    return write(folder, keys, linear(inputs, weights, "probabilities"))


def bright_rows(folder: Path) -> Path:
    """Of a colour camera whose filters leave the lower half, black or white: the brighter one of its two rows."""
    rows = np.repeat(np.eye(2), 4, axis=0)
    above, below = np.zeros((4, 4, 3), int), np.zeros((4, 4, 3), int)
    above[2], below[3], below[0] = 255, 255, 255
    keys = policy(
        environment="donkey", algorithm="dqn", normalisation=None, action={"kind": "discrete", "n": 2},
        observation={"shape": [4, 4, 3], "dtype": "uint8", "low": 0, "high": 255},
        preprocess=["to_float", "rgb_to_y", "crop(2, 4, 0, 4)", "binarise(100)", "add_channel"],
        examples=[{"observation": seen.tolist(), "action": row} for row, seen in enumerate((above, below))],
    )  # fmt: skip
    return write(folder, keys, linear({"observation": (2, 4, 1)}, rows))


def bright(left: bool, size: tuple[int, int] = (ROWS, COLUMNS)) -> np.ndarray:
    """A picture (rows, columns) with one bright half."""
    picture = np.full(size, 20, np.uint8)
    half = size[1] // 2
    picture[:, :half] = 200 if left else 20
    picture[:, half:] = 20 if left else 200
    return picture


def png(picture: np.ndarray, form: str = "PNG") -> str:
    written = io.BytesIO()
    Image.fromarray(picture).save(written, form)
    return base64.b64encode(written.getvalue()).decode()
