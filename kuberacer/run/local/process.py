"""One step as a process: a session of its own, a log, an end of everything it started."""

import asyncio
import contextlib
import errno
import os
import shutil
import signal
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from kuberacer.die_with_parent import dying_with_parent

GRACE_S = 4.0  # from SIGTERM to SIGKILL


@dataclass(frozen=True)
class Ended:
    status: int  # exit status; minus the signal's number when one killed it
    tail: tuple[str, ...]  # the last lines that it printed


async def run_process(
    arguments: list[str],
    environment: Mapping[str, str],
    folder: Path,
    log: Path,
    on_line: Callable[[str], None],
) -> Ended:
    """Run to the end, both outputs into the log and line by line to on_line.

    When this coroutine is cancelled, the process and all that it started are ended before it returns.
    """
    if shutil.which(arguments[0], path=environment.get("PATH")) is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), arguments[0])
    # A pipe of our own: with asyncio's, wait() waits for the end of all who hold it, not of the process.
    read_end, write_end = os.pipe()
    reader = asyncio.StreamReader()
    pipe = os.fdopen(read_end, "rb", buffering=0)
    transport, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    try:
        process = await asyncio.create_subprocess_exec(
            *dying_with_parent(arguments),
            cwd=folder,
            env=environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=write_end,
            stderr=write_end,
            start_new_session=True,
        )
    except BaseException:
        transport.close()
        raise
    finally:
        os.close(write_end)
    tail: deque[str] = deque(maxlen=40)
    reading = asyncio.create_task(_copy_output(reader, log, tail, on_line))
    try:
        status = await process.wait()
    except asyncio.CancelledError:
        await _end(process)
        raise
    finally:
        _signal_group(process.pid, signal.SIGKILL)  # whatever it left behind holds the pipe open
        await reading
        transport.close()
    return Ended(status, tuple(tail))


async def _copy_output(
    stream: asyncio.StreamReader, log: Path, tail: deque[str], on_line: Callable[[str], None]
) -> None:
    rest = b""
    with log.open("ab", buffering=0) as file:
        while chunk := await stream.read(65536):
            file.write(chunk)
            *lines, rest = (rest + chunk).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
            for line in lines:
                _take_line(line, tail, on_line)
    if rest:
        _take_line(rest, tail, on_line)


def _take_line(line: bytes, tail: deque[str], on_line: Callable[[str], None]) -> None:
    text = line.decode("utf-8", "replace")
    tail.append(text)
    on_line(text)


async def _end(process: asyncio.subprocess.Process) -> None:
    _signal_group(process.pid, signal.SIGTERM)
    with contextlib.suppress(TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(process.wait(), GRACE_S)
    _signal_group(process.pid, signal.SIGKILL)
    await process.wait()


def _signal_group(group: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)
