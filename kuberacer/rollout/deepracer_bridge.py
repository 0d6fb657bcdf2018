"""The simulator's client as a process of its own environment, for stages that run in another one.

Its Python (3.12) and its packages are not those of the trainer. The two talk over a socket pair: a line of JSON each
way, the pictures' bytes behind the answer's line.
"""

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.die_with_parent import dying_with_parent
from kuberacer.errors import UserError
from kuberacer.rollout.external_sim import SimulatorGoneError
from kuberacer.store.server import last_words

LONGEST_LINE = 4 << 20


class BridgedEnvironment:
    """GymEnvironment: asks a process that has the client. Raises as deepracer_client.DeepRacerEnvironment does."""

    def __init__(self, python: Path, address: str, metadata: ModelMetadata):
        ours, theirs = socket.socketpair()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  as long as the process
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
        with theirs:
            self._process = subprocess.Popen(
                dying_with_parent([str(python), "-m", __name__, str(theirs.fileno()), address]),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
                env={**os.environ, "PYTHONPATH": path},
            )
        self._socket, self._pipe = ours, ours.makefile("rwb")
        self._ask({"metadata": metadata.to_json(), "algorithm": metadata.algorithm})

    def reset(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        pictures, said = self._ask({"do": "reset"})
        return pictures, said["info"]

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        pictures, said = self._ask({"do": "step", "action": np.asarray(action).tolist()})
        return pictures, 0.0, said["terminated"], said["truncated"], said["info"]

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._pipe.close()
        self._socket.close()
        try:
            self._process.wait(5.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def _ask(self, request: dict[str, Any]) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        try:
            self._pipe.write(json.dumps(request).encode() + b"\n")
            self._pipe.flush()
            line = self._pipe.readline(LONGEST_LINE)
        except OSError:
            line = b""
        if not line.endswith(b"\n"):
            raise self._ended()
        said = json.loads(line)
        if "cause" in said:
            raise (SimulatorGoneError if said["gone"] else UserError)(said["cause"], said["remedy"])
        return {name: self._array(*about) for name, about in said.get("arrays", {}).items()}, said

    def _array(self, dtype: str, shape: list[int]) -> np.ndarray:
        data = self._pipe.read(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        return np.frombuffer(data, dtype).reshape(shape)

    def _ended(self) -> UserError:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5.0)
        self._log.seek(0)
        said = last_words(self._log.read().decode(errors="replace"))
        return UserError(
            f"the DeepRacer simulator's client has ended: {said}",
            "make .envs/deepracer/.ready (Python 3.12), and look at the line above",
        )


def serve(pipe: BinaryIO, address: str) -> None:
    """The client's end: until the other one closes."""
    from kuberacer.rollout.deepracer_client import Deadlines, DeepRacerEnvironment

    def answer(said: dict[str, Any], arrays: dict[str, np.ndarray] | None = None) -> None:
        whole = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
        said["arrays"] = {name: (array.dtype.str, array.shape) for name, array in whole.items()}
        pipe.write(json.dumps(said, default=plain).encode() + b"\n")
        for array in whole.values():
            pipe.write(array.tobytes())
        pipe.flush()

    environment: DeepRacerEnvironment | None = None
    while line := pipe.readline(LONGEST_LINE):
        request = json.loads(line)
        try:
            if environment is None:
                metadata = ModelMetadata.parse(request["metadata"], request["algorithm"])
                environment = DeepRacerEnvironment(address, metadata, Deadlines.from_environment())
                answer({})
            elif request["do"] == "reset":
                pictures, info = environment.reset()
                answer({"info": info}, pictures)
            else:
                action = request["action"]
                action = np.array(action) if isinstance(action, list) else action
                pictures, _, terminated, truncated, info = environment.step(action)
                answer({"info": info, "terminated": bool(terminated), "truncated": bool(truncated)}, pictures)
        except UserError as error:
            gone = isinstance(error, SimulatorGoneError)
            answer({"cause": error.cause, "remedy": error.remedy, "gone": gone})


def plain(value: Any) -> Any:
    """What JSON does not know of a simulator's answer."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return value.tolist()
    return repr(value)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as end:
        serve(cast(BinaryIO, end.makefile("rwb")), sys.argv[2])
