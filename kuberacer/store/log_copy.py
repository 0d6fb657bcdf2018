"""Copies what this process and its children print into the object store, while they print it."""

import contextlib
import os
import sys
from pathlib import Path
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Self

from kuberacer.errors import UserError
from kuberacer.store.client import ObjectStore

EVERY_S = 10.0
MOST_BYTES = 8 << 20  # of one log; the oldest part goes first


class LogCopy:
    """While open, standard output and error go where they went, and to the object `key` every EVERY_S and at the end.

    A store that is away costs nothing but the copy. What a killed process printed in its last seconds is lost here.
    """

    def __init__(self, store: ObjectStore, key: str, every_s: float = EVERY_S):
        self.store, self.key, self.every_s = store, key, every_s
        self._kept = bytearray()
        self._lock, self._stop = Lock(), Event()
        self._sent = 0
        self._seen = 0

    def __enter__(self) -> Self:
        sys.stdout.flush()
        sys.stderr.flush()
        self._own = [(number, os.dup(number)) for number in (1, 2)]
        self._readers = [self._redirect(number, copy) for number, copy in self._own]
        self._sender = Thread(target=self._send_often, name="log-copy", daemon=True)
        self._sender.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # What ends the process is printed after this, so it is written down here, too.
        if isinstance(error, UserError):
            self._keep(f"{error}\n".encode())
        elif isinstance(error, Exception) and kind is not None:
            self._keep(f"{kind.__name__}: {error}\n".encode())
        with contextlib.suppress(OSError, ValueError):
            sys.stdout.flush()
            sys.stderr.flush()
        for number, copy in self._own:
            os.dup2(copy, number)
        for reader in self._readers:
            reader.join(1.0)  # a child that lives on holds the pipe open
        self._stop.set()
        self._sender.join(5.0)
        self.send()

    def send(self) -> None:
        """Put what there is into the store now."""
        with self._lock:
            data, seen = bytes(self._kept), self._seen
        if seen == self._sent:
            return
        with contextlib.suppress(UserError):
            self.store.put_bytes(self.key, data, "text/plain; charset=utf-8")
            self._sent = seen

    def _redirect(self, number: int, copy: int) -> Thread:
        out, into = os.pipe()
        os.dup2(into, number)
        os.close(into)
        thread = Thread(target=self._copy, args=(out, copy), name=f"log-copy-{number}", daemon=True)
        thread.start()
        return thread

    def _copy(self, source: int, target: int) -> None:
        while True:
            try:
                part = os.read(source, 1 << 16)
            except OSError:
                return
            if not part:
                os.close(source)
                return
            self._keep(part)
            with contextlib.suppress(OSError):
                while part:
                    part = part[os.write(target, part) :]

    def _keep(self, part: bytes) -> None:
        with self._lock:
            self._kept += part
            self._seen += len(part)
            if len(self._kept) > MOST_BYTES:
                del self._kept[: len(self._kept) - MOST_BYTES // 2]

    def _send_often(self) -> None:
        # Often at the beginning: what ends a process early is what one wants to read.
        pause = min(0.5, self.every_s)
        while not self._stop.wait(pause):
            self.send()
            pause = min(1.3 * pause, self.every_s)


def log_key(run: str, name: str) -> str:
    return f"{run}/logs/{Path(name).name}.log"
