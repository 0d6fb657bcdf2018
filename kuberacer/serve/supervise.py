"""An endpoint of this machine: the process that holds its socket, and those that answer.

It holds a lock in the endpoint's folder as long as it lives, by which others know that it does; a process that dies is
replaced, and what has connected meanwhile waits in the socket. When it ends, its folder goes.
"""

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from socket import socket
from typing import IO, Any

from kuberacer.die_with_parent import dying_with_parent
from kuberacer.endpoint import LOCK, LOG, MODEL, NOT_SERVED, RECORD, TOKEN, Endpoint
from kuberacer.errors import UserError

LOOK_S = 0.1
PAUSE_S = 1.0  # before a process that died at once is replaced
END_S = 30.0  # longer than a process takes for what it is answering
MOST_LOG = 32 << 20  # bytes
METRICS = "metrics"


def supervise(folder: Path, endpoint: Endpoint, listener: socket, workers: int, about: dict[str, Any]) -> int:
    """Serve until a SIGTERM, until it has expired, or until somebody removes the record. Returns the exit status.

    about: for the record.
    """
    with (folder / LOCK).open("a") as lock:
        hold(lock, folder)
        shutil.rmtree(folder / METRICS, ignore_errors=True)
        (folder / METRICS).mkdir()
        write_record(folder, {**asdict(endpoint), **about, "port": listener.getsockname()[1]})
        status = Workers(folder, endpoint, listener, workers).run()
        if status == 0:  # else whoever deploys it reads the log first
            shutil.rmtree(folder, ignore_errors=True)
        return status


class Workers:
    """The processes that answer at one socket."""

    def __init__(self, folder: Path, endpoint: Endpoint, listener: socket, count: int):
        self._folder, self._endpoint, self._listener = folder, endpoint, listener
        self._ending = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *of: self._ending.set())
        self._started = [0.0] * count
        self._processes = [self._start(place) for place in range(count)]

    def run(self) -> int:
        """Until the end; NOT_SERVED when the model is none that can be served."""
        status = 0
        while not self._ending.wait(LOOK_S) and not self._over():
            shorten(self._folder / LOG)
            if any(process.poll() == NOT_SERVED for process in self._processes):
                status = NOT_SERVED
                break
            for place, process in enumerate(self._processes):
                if process.poll() is not None and time.monotonic() - self._started[place] > PAUSE_S:
                    print(f"process {process.pid} ended with status {process.returncode}: another one", flush=True)
                    self._processes[place] = self._start(place)
        self._end()
        return status

    def _over(self) -> bool:
        expires_at = self._endpoint.expires_at
        return (expires_at is not None and time.time() >= expires_at) or not (self._folder / RECORD).exists()

    def _start(self, place: int) -> subprocess.Popen[bytes]:
        self._started[place] = time.monotonic()
        given = {
            "--model": self._folder / MODEL, "--name": self._endpoint.name, "--digest": self._endpoint.digest,
            "--expires-at": self._endpoint.expires_at, "--fd": self._listener.fileno(),
        }  # fmt: skip
        command = [sys.executable, "-m", "kuberacer.serve"]
        command += [str(word) for pair in given.items() if pair[1] is not None for word in pair]
        environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(self._folder / METRICS)}
        if self._endpoint.token:
            environment[TOKEN] = self._endpoint.token
        return subprocess.Popen(
            dying_with_parent(command), env=environment, stdin=subprocess.DEVNULL, pass_fds=[self._listener.fileno()]
        )

    def _end(self) -> None:
        for process in self._processes:
            process.terminate()
        until = time.monotonic() + END_S
        for process in self._processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def hold(lock: IO[str], folder: Path) -> None:
    """Raises UserError when another process does."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UserError(f"{folder} is served already", "delete that endpoint, or choose another NAME") from None
    lock.truncate(0)
    lock.write(f"{os.getpid()}\n")  # for who wants it to end
    lock.flush()


def write_record(folder: Path, record: dict[str, Any]) -> None:
    """It may hold a token: for its owner's eyes."""
    part = folder / f".{RECORD}"
    part.touch(0o600)
    part.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    part.replace(folder / RECORD)


def shorten(log: Path) -> None:
    """A log that is too large becomes the one before; whoever writes to it (appending) goes on."""
    if log.exists() and log.stat().st_size > MOST_LOG:
        shutil.copyfile(log, log.with_suffix(".log.1"))
        os.truncate(log, 0)
