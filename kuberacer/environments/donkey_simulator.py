"""A donkey simulator that is connected: its program started, or waited for at host:port; one car, by its own clock.

gym-donkeycar itself is not used: its last release wants the old gym and a module that Python has dropped, waits without
any deadline, and a faulty frame ends its thread unseen. That both say the same is tested with it (make test-donkey).
"""

import atexit
import contextlib
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from kuberacer.die_with_parent import dying_with_parent
from kuberacer.environments import donkey_protocol as protocol
from kuberacer.environments.donkey_protocol import Garbage, Telemetry
from kuberacer.errors import UserError

PATIENCE_S = {"connect": 180.0, "load": 120.0, "frame": 20.0, "reset": 30.0}
MOST_GARBAGE = 20  # messages in a row
STANDS_WITHIN = 0.02  # units between two frames
ADDRESS = re.compile(r"(?P<host>[\w.-]*):(?P<port>\d{1,5})")


class DonkeySimulator:
    """The connection. One car, which belongs to the seat that was taken last."""

    def __init__(self, where: str, scene: str, settle_s: float):
        """where: a program's path, or host:port. scene: a part of its name, as the simulator calls it. settle_s: how
        long a car that was reset takes to stand. Raises UserError."""
        self.where, self.settle_s = where, settle_s
        self.seat: object | None = None
        self.process: subprocess.Popen[bytes] | None = None
        self.folder = Path(tempfile.mkdtemp(prefix="donkey-"))
        self._buffer, self._garbage = b"", 0
        self._socket: socket.socket | None = None
        atexit.register(self.close)
        try:
            self._server = self._listen(where)
            self._socket = self._accept()
            self._load(scene)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        atexit.unregister(self.close)
        for one in (self._socket, getattr(self, "_server", None)):
            if one is not None:
                with contextlib.suppress(OSError):
                    one.close()
        if self.process is not None:
            self.process.kill()
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def drive(self, steering: float, throttle: float) -> Telemetry:
        """The newest frame after this was told."""
        self._drain()
        self._send(protocol.control(steering, throttle))
        return self._frame("frame")

    def reset(self) -> Telemetry:
        """Put the car back to its start, and wait until it stands there."""
        self._drain()
        self._send(protocol.control(0.0, 0.0))
        self._send(protocol.reset_car())
        began = time.monotonic()
        self._frame("reset")  # from before the car was put back
        seen = self._frame("reset")
        while time.monotonic() - began < PATIENCE_S["reset"]:
            before, seen = seen, self.drive(0.0, 0.0)
            moved = np.linalg.norm(np.subtract(seen.position, before.position))
            if time.monotonic() - began >= self.settle_s and moved < STANDS_WITHIN:
                return seen
        raise self._lost(f"its car does not stand {PATIENCE_S['reset']:.0f} s after it was reset")

    def _listen(self, where: str) -> socket.socket:
        path, address = Path(where), ADDRESS.fullmatch(where)
        if address is not None and int(address["port"]) < 65536:
            host, port = address["host"] or "127.0.0.1", int(address["port"])
        elif not path.is_file():
            raise UserError(
                f"donkey simulator: {where} is no program",
                "give the path of its program, or host:port where it is to connect (DONKEY_SIM_PATH, SIMULATOR)",
            )
        elif not os.access(path, os.X_OK):
            raise UserError(f"donkey simulator: {where} may not be executed", f"chmod +x {where}")
        else:
            host, port = "127.0.0.1", 0
        try:
            server = socket.create_server((host, port))
        except OSError as error:
            raise UserError(
                f"donkey simulator: cannot listen at {where}: {error.strerror}", "give another host or port"
            ) from None
        server.settimeout(0.2)
        if address is None:
            self._start(path, server.getsockname()[1])
        else:
            print(f"progress: waits for a donkey simulator to connect to {where}", flush=True)
        return server

    def _start(self, program: Path, port: int) -> None:
        unseen = ["-nographics", "-batchmode"] if os.environ.get("DONKEY_SIM_HEADLESS") == "1" else []
        options = [*unseen, "--port", str(port), "-logFile", str(self.folder / "unity.log")]
        command = dying_with_parent([str(program.resolve()), *options])
        with (self.folder / "output.log").open("wb") as output:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd=self.folder
            )

    def _accept(self) -> socket.socket:
        deadline = time.monotonic() + PATIENCE_S["connect"]
        while time.monotonic() < deadline:
            with contextlib.suppress(TimeoutError):
                found, _ = self._server.accept()
                found.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return found
            if self.process is not None and self.process.poll() is not None:
                raise self._lost("it has ended before it connected")
        raise self._lost(f"it has not connected within {PATIENCE_S['connect']:.0f} s")

    def _load(self, scene: str) -> None:
        """The conversation from the scene selection to the car."""
        began = time.monotonic()
        while True:
            message = self._message("load", began, "it has not said that its car is loaded")
            kind = message["msg_type"]
            if kind == "scene_selection_ready":
                self._send(protocol.scene_names())
            elif kind == "scene_names":
                names = [str(name) for name in message.get("scene_names") or []]
                chosen = [name for name in names if scene in name]
                if not chosen:
                    raise UserError(
                        f"donkey simulator: it has no scene {scene!r}",
                        f'choose one of {", ".join(names)[:300]}: {{"scene": …}} in the environment\'s parameters',
                    )
                self._send(protocol.load_scene(chosen[0]))
            elif kind == "car_loaded":
                return

    def _frame(self, what: str) -> Telemetry:
        began = time.monotonic()
        while True:
            message = self._message(what, began, "it has sent no frame")
            if message["msg_type"] == "telemetry":
                try:
                    found = protocol.telemetry(message)
                except Garbage as error:
                    self._count(error)
                    continue
                self._garbage = 0
                return found

    def _message(self, what: str, began: float, missing: str) -> dict:
        """The next one that says something. missing: what is said of its absence."""
        while True:
            line, newline, rest = self._buffer.partition(b"\n")
            if newline:
                self._buffer = rest
                if len(line) < 2:
                    continue
                try:
                    return protocol.parse(line)
                except Garbage as error:
                    self._count(error)
                    continue
            if len(self._buffer) > protocol.MOST_BYTES:
                raise self._lost(f"a message of more than {protocol.MOST_BYTES >> 20} MiB")
            left = began + PATIENCE_S[what] - time.monotonic()
            if left <= 0:
                raise self._lost(f"{missing} within {PATIENCE_S[what]:.0f} s")
            self._receive(left)

    def _receive(self, timeout_s: float) -> bool:
        """Whether something came."""
        assert self._socket is not None
        self._socket.settimeout(max(timeout_s, 1e-4))
        try:
            data = self._socket.recv(1 << 18)
        except (TimeoutError, BlockingIOError):
            return False
        except OSError as error:
            raise self._lost(f"the connection broke: {error.strerror}") from None
        if not data:
            raise self._lost("it has closed the connection")
        self._buffer += data
        return True

    def _drain(self) -> None:
        """Forget the frames that came while nobody looked: they show what was before."""
        while self._receive(0.0):
            head, newline, tail = self._buffer.rpartition(b"\n")
            self._buffer = tail if newline else head + tail
            if len(self._buffer) > protocol.MOST_BYTES:
                raise self._lost(f"a message of more than {protocol.MOST_BYTES >> 20} MiB")
        self._buffer = self._buffer.rpartition(b"\n")[2]

    def _send(self, message: bytes) -> None:
        assert self._socket is not None
        self._socket.settimeout(PATIENCE_S["frame"])
        try:
            self._socket.sendall(message)
        except OSError as error:
            raise self._lost(f"the connection broke: {error.strerror or error}") from None

    def _count(self, error: Garbage) -> None:
        self._garbage += 1
        if self._garbage >= MOST_GARBAGE:
            raise self._lost(f"{MOST_GARBAGE} messages in a row say nothing, the last one: {error}")

    def _lost(self, why: str) -> UserError:
        told = ""
        if self.process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(0.5)
            status = self.process.poll()
            told = "" if status is None else f", its process ended with status {status}"
            words = _last_line(self.folder / "output.log") or _last_line(self.folder / "unity.log")
            told += f"; it said {words!r}" if words else ""
        return UserError(
            f"donkey simulator {self.where}: {why}{told}",
            "see that it runs and speaks gym-donkeycar's protocol; a training goes on with RESUME=<run>",
        )


def _last_line(log: Path) -> str:
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = [line.strip() for line in file.read().decode(errors="replace").splitlines() if line.strip()]
        return lines[-1][:300] if lines else ""
    return ""
