"""The user's reward function in a process of its own, with limits; one cheap round trip for all cars.

Conversation over two pipes: first the settings (length, JSON) go down and a message comes up. Then one byte goes down
for a call: `r` run, `c` try to compile. One byte comes up: `k` done, the rewards lie in the shared memory; or `m` with
a message (length, JSON): an error, or what the function printed.
"""

import contextlib
import json
import os
import re
import select
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from kuberacer.errors import UserError
from kuberacer.reward.deadline import Deadline
from kuberacer.reward.output import printable
from kuberacer.reward.runner import LIMIT, RoadFacts, within_limits
from kuberacer.reward.shared import block_size, make_block, map_block
from kuberacer.reward.source import DEFAULT_NAME, FUNCTION, RewardSource
from kuberacer.sim.params import ParamArrays, array_keys

START_S = 20.0  # the interpreter and numpy, on a busy machine
COMPILE_S = 60.0
COMPILER_MIB = 512
MAX_MESSAGE = 1 << 20
# All of the environment that it gets. Threads of a linear algebra library would only take the cars' processor away.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONHASHSEED": "0",
    "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1",
}  # fmt: skip
_PACKAGES = str(Path(__file__).parents[2])
# First: parent and child are of one version, whatever else the environment knows by this name.
_START = "import sys; sys.path.insert(0, {!r}); from kuberacer.reward.child import main; main({}, {}, {}, {})"


class RewardProcess:
    """`reward(values)` -> rewards (cars,) float64, finite and within ±1e5. Close it, or use it as a context manager.

    path: "compiled" or "plain"; why_plain: why not compiled; limits: which of the kernel's limits hold. Everything that
    goes wrong in the user's code is a UserError with file, line and cause, and ends the process. So does the end of the
    thread that made it.
    """

    def __init__(
        self,
        source_text: str,
        track: RoadFacts,
        cars: int,
        *,
        name: str = DEFAULT_NAME,
        extra_paths: Sequence[str | Path] = (),
        allowed_imports: Iterable[str] | None = None,
        timeout_s: float = 10.0,
        memory_mib: int = 512,
        cpu_s: int | None = None,
        objects: int = 0,
        compile: bool = True,
        strict_output: bool = False,
        seed: int = 0,
    ):
        """extra_paths: folders with the user's modules. allowed_imports: None leaves that to the validation, which has
        passed. timeout_s: processor seconds for one call. memory_mib: beyond the interpreter's own, and the compiler's
        when compile is True. cpu_s: processor seconds in all. objects: how many each car meets. strict_output: a flood
        of output is an error. Raises UserError."""
        self.source = RewardSource.check(source_text, name, allowed_imports)
        self.timeout_s, self.cars, self.objects = timeout_s, cars, objects
        self.path, self.why_plain = "plain", ""
        self.limits: list[str] = []
        self._process: subprocess.Popen | None = None
        self._descriptors: list[int] = []
        keys = self.source.keys
        _check_folders(extra_paths)
        self._copied = [key for key in array_keys(objects) if keys is None or key in keys or key == "is_reversed"]
        imports = self.source.imports
        settings = {
            "text": source_text, "name": name, "imports": imports and sorted(imports), "cars": cars,
            "seed": seed,
            "width": float(track.width), "length": float(track.length), "waypoints": track.waypoints,
            "extra_paths": [str(path) for path in extra_paths], "cpu_s": cpu_s,
            "memory_mib": memory_mib + COMPILER_MIB * compile,
            "objects": objects, "strict_output": strict_output,
        }  # fmt: skip
        try:
            self._start(track, json.dumps(settings).encode())
            if compile:
                self.begin_compile()
                self._finish_compile_or_restart(track, json.dumps(settings).encode())
        except BaseException:
            self.close()
            raise

    def begin_compile(self) -> None:
        """Start compiling; nothing else may be asked of it before finish_compile."""
        os.write(self._commands, b"c")

    def finish_compile(self) -> bool:
        """Whether the function runs compiled from now on."""
        found = self._message(COMPILE_S)
        self.path, self.why_plain = found["path"], found["why_plain"]
        return self.path == "compiled"

    def __call__(self, values: ParamArrays) -> np.ndarray:
        shared, rewards = self._shared
        for key in self._copied:
            getattr(shared, key)[...] = getattr(values, key)
        try:
            os.write(self._commands, b"r")
        except BrokenPipeError:
            raise self._ended() from None
        if self._byte(self.timeout_s) != b"k":
            self._take_message(self.timeout_s)
        result = rewards.copy()
        if not within_limits(result):
            # The child has checked them: the user's code has changed them since.
            raise self._failed(UserError(f"{self.source.name}:1: rewards beyond ±{LIMIT:.0f}", "return finite numbers"))
        return result

    def close(self) -> None:
        """End the process; harmless when it has ended."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
        for descriptor in self._descriptors:
            with contextlib.suppress(OSError):
                os.close(descriptor)
        self._descriptors.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if getattr(self, "_process", None) is not None:
            self.close()

    def _finish_compile_or_restart(self, track: RoadFacts, settings: bytes) -> None:
        """A compiler that crashes or never ends is no fault of the function."""
        try:
            self.finish_compile()
        except UserError as error:
            self._start(track, settings)
            self.path, self.why_plain = "plain", f"numba failed: {error.cause}"

    def _start(self, track: RoadFacts, settings: bytes) -> None:
        """Start the process and have it load the function."""
        commands_out, self._commands = os.pipe()
        self._answers, answers_in = os.pipe()
        self._dump, dump_in = os.pipe()
        self._descriptors = [self._commands, self._answers, self._dump]
        block = make_block(block_size(self.cars, self.objects))
        theirs = (commands_out, answers_in, block, dump_in)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-X", "utf8", "-c", _START.format(_PACKAGES, *theirs)],
                stdin=subprocess.DEVNULL,
                env=ENVIRONMENT,
                cwd="/",
                pass_fds=theirs,
                start_new_session=True,
            )
            self._shared = map_block(block, track, self.cars, self.objects)
        finally:
            for descriptor in theirs:
                os.close(descriptor)
        self._poll = select.poll()
        self._poll.register(self._answers, select.POLLIN)
        data = struct.pack("I", len(settings)) + settings
        with contextlib.suppress(BrokenPipeError):
            while data:
                data = data[os.write(self._commands, data) :]
        self._byte(START_S)
        self.limits = self._message(self.timeout_s)["limits"]

    def _message(self, wait_s: float) -> dict[str, Any]:
        if self._byte(wait_s) != b"m":
            raise self._ended()
        return self._take_message(wait_s)

    def _byte(self, wait_s: float) -> bytes:
        assert self._process is not None
        deadline = Deadline(self._process.pid, wait_s)
        while not self._poll.poll(1000 * (left := deadline.left())):
            if not left:
                raise self._stuck(wait_s)
        byte = os.read(self._answers, 1)
        if not byte:
            raise self._ended()
        return byte

    def _take_message(self, wait_s: float) -> dict[str, Any]:
        """Read the rest of a message; print what the function printed, raise its error."""
        size = struct.unpack("I", self._read(4, wait_s))[0]
        try:
            found = json.loads(self._read(min(size, MAX_MESSAGE), wait_s))
            output, error = found["output"], found["error"] and UserError(*map(printable, found["error"]))
        except (ValueError, KeyError, TypeError):  # the user's code has written into the pipe
            error = UserError(f"{self.source.name}:1: its process gives broken answers", "use no file descriptors")
            raise self._failed(error) from None
        if output:
            print(printable(output).rstrip("\n"), flush=True)
        if error:
            raise self._failed(error)
        return found

    def _read(self, size: int, wait_s: float) -> bytes:
        data = b""
        while len(data) < size:
            if not self._poll.poll(wait_s * 1000):
                raise self._stuck(wait_s)
            part = os.read(self._answers, size - len(data))
            if not part:
                raise self._ended()
            data += part
        return data

    def _stuck(self, wait_s: float) -> UserError:
        """It does not answer: the C-level traceback of its main thread says where it is."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, signal.SIGUSR1)
        line = self._line_of_dump(1.0)
        what = f"{self.source.name}:{line}: {FUNCTION} did not finish within {wait_s:g} s: endless loop or too slow"
        remedy = "make the loop end; a reward is called 15 times a simulated second for every car"
        return self._failed(UserError(what, remedy))

    def _ended(self) -> UserError:
        """It has ended by itself: its status says how, a crash has left a traceback."""
        assert self._process is not None
        status = self._process.wait()
        line = self._line_of_dump(0.1) if status < 0 else self.source.line_of_call("_exit", "abort", "kill")
        reason = f"status {status}" if status >= 0 else signal.Signals(-status).name
        if status == -signal.SIGXCPU:
            reason = "more CPU seconds than allowed"
        what = f"{self.source.name}:{line}: the function ended its process ({reason})"
        return self._failed(
            UserError(what, "return a reward instead of leaving; look for os._exit, crashes in libraries")
        )

    def _line_of_dump(self, wait_s: float) -> int:
        """The innermost line of the user's file in what faulthandler wrote; 1 when it wrote nothing."""
        os.set_blocking(self._dump, False)
        pattern = re.compile(rf'File "{re.escape(self.source.name)}", line (\d+)'.encode())
        text, deadline = b"", time.monotonic() + wait_s
        while time.monotonic() < deadline and not pattern.search(text):
            with contextlib.suppress(BlockingIOError):
                text += os.read(self._dump, 65536)
            time.sleep(0.01)
        found = pattern.search(text)
        return int(found[1]) if found else 1

    def _failed(self, error: UserError) -> UserError:
        self.close()
        return error


def _check_folders(paths: Sequence[str | Path]) -> None:
    for path in paths:
        if not os.path.isdir(path):
            raise UserError(
                f"the folder of the reward's modules is gone: {path}", "run again: build_sim_image makes it anew"
            )
