"""A policy's network in ONNX Runtime, from what was observed to what it says."""

from collections.abc import Callable
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime

from kuberacer.errors import UserError
from kuberacer.formats.policy import FILENAME, ONNX
from kuberacer.preprocess import Preprocess
from kuberacer.serve.observations import RequestError, Requests
from kuberacer.serve.policy import Policy

MOST_BYTES = 1 << 30  # of model.onnx
MOST_TEXT = 64 << 20  # of policy.json
AGAIN = "publish the run again; it is not served as it is"


class NetworkError(Exception):
    """The network did not answer."""


class Network:
    """model.onnx of one policy, on one thread."""

    def __init__(self, policy: Policy, model: bytes):
        """Raises UserError for what ONNX Runtime does not read, or what does not fit policy.json."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # ONNX Runtime's have no common class
            raise UserError(f"{ONNX} cannot be loaded: {_first_line(error)}", AGAIN) from None
        self.policy = policy
        self._given = _inputs(self._session, policy)
        self._output = _output(self._session, policy)
        self._prepared = _preparation(policy)

    @classmethod
    def read(cls, folder: Path) -> Self:
        """The network of a published model's folder. Raises UserError."""
        text, model = _bytes(folder / FILENAME, MOST_TEXT), _bytes(folder / ONNX, MOST_BYTES)
        return cls(Policy.parse(text), model)

    def ask(self, observations: list[np.ndarray], stop: onnxruntime.RunOptions | None = None) -> np.ndarray:
        """(N, …) of what N saw: an array (N, …) a sensor, of its type. stop.terminate, set by another thread, ends it.

        Raises NetworkError.
        """
        try:
            seen = [self._prepared(each).astype(np.float32, copy=False) for each in observations]
            given = dict(zip(self._given, seen, strict=True))
            (outputs,) = self._session.run([self._output], given, stop)
        except Exception as error:
            raise NetworkError(_first_line(error)) from None
        return outputs

    def warm_up(self, requests: Requests) -> int:
        """Ask once for each of policy.json's examples, or for one that is made up; returns how many agree.

        Raises UserError when the answer is another one than the example's.
        """
        examples = self.policy.examples
        if not examples:
            self._try([np.zeros((1, *sensor.shape), sensor.dtype) for sensor in requests.sensors], "zeros")
        for number, example in enumerate(examples):
            where = f"{FILENAME}: example {number}"
            try:
                arrays = requests.arrays([requests.instance(example["observation"])])
                wanted = example["action"]
            except (RequestError, KeyError) as error:
                raise UserError(f"{where} does not fit: {error}", AGAIN) from None
            (found,) = self.policy.predictions(self._try(arrays, where))
            if not self.policy.agrees(found, wanted):
                raise UserError(f"{where}: the network says {found['action']}, the action is {wanted}", AGAIN)
        return len(examples)

    def _try(self, arrays: list[np.ndarray], where: str) -> np.ndarray:
        try:
            outputs = self.ask(arrays)
        except NetworkError as error:
            raise UserError(f"{ONNX} does not answer to {where}: {error}", AGAIN) from None
        wanted = 1 if self.policy.output == "action" and self.policy.action.kind == "discrete" else None
        size = outputs.reshape(1, -1).shape[1]
        least = wanted or self.policy.action.outputs
        if size != least and not (self.policy.output == "logits" and size == 2 * least):
            raise UserError(f"{ONNX} gives {size} numbers, {FILENAME} has {least} actions", AGAIN)
        return outputs


def _preparation(policy: Policy) -> Callable[[np.ndarray], np.ndarray]:
    """From observations to what the network sees."""
    if policy.preprocess:
        return Preprocess.parse(policy.preprocess)
    if (numbers := policy.normalisation) is None:
        return lambda observations: observations
    shape, clip = policy.sensors[0].shape, numbers.clip
    mean, std = (np.array(each, np.float32).reshape(shape) for each in (numbers.mean, numbers.std))
    if clip is None:
        return lambda observations: (observations - mean) / std
    return lambda observations: ((observations - mean) / std).clip(-clip, clip)


def _inputs(session: onnxruntime.InferenceSession, policy: Policy) -> list[str]:
    """The network's inputs in the order of the sensors, by whose names they are called; a single one by any."""
    given = session.get_inputs()
    names = [value.name for value in given]
    wanted = names if len(names) == len(policy.sensors) == 1 else [sensor.name for sensor in policy.sensors]
    if sorted(names) != sorted(wanted):
        raise UserError(f"{ONNX} has the inputs {names}, {FILENAME} the sensors {wanted}", AGAIN)
    for value in given:
        if value.type != "tensor(float)":
            raise UserError(f"{ONNX}: the input {value.name} is {value.type}", f"float32 is wanted; {AGAIN}")
        if isinstance(value.shape[0], int):
            raise UserError(f"{ONNX}: the input {value.name} takes a batch of {value.shape[0]}", AGAIN)
    return wanted


def _output(session: onnxruntime.InferenceSession, policy: Policy) -> str:
    names = [value.name for value in session.get_outputs()]
    if policy.output not in names and len(names) != 1:
        raise UserError(f"{ONNX} has the outputs {names}, none is {policy.output}", AGAIN)
    return policy.output if policy.output in names else names[0]


def _bytes(path: Path, most: int) -> bytes:
    try:
        if path.stat().st_size > most:
            raise UserError(f"{path} has {path.stat().st_size:,} bytes, more than {most:,}", "serve a smaller model")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "name a published model's folder") from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
