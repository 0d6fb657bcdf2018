"""A user's program as a limited process: a line goes in, a line comes out; what it writes to stderr is kept."""

import contextlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from kuberacer.formats.reward_document import RewardDocument
from kuberacer.reward import kernel_limits
from kuberacer.reward.deadline import Deadline
from kuberacer.reward.launch import START
from kuberacer.reward.output import LimitedOutput
from kuberacer.reward.process import ENVIRONMENT

LAST_WORDS = 4_000  # bytes of stderr that are kept for messages
LEAVE_S = 1.0  # for a program that has closed its output
_PACKAGES = str(Path(__file__).parents[2])
_FOLDERS = "/usr/local/bin:/usr/bin:/bin"


class ProgramFault(Exception):
    """What is wrong with a program, and what to do."""

    def __init__(self, what: str, remedy: str):
        super().__init__(what)
        self.what, self.remedy = what, remedy


class Program:
    """The command of a document, started in the folder of its files. limits: which of the kernel's hold.

    Raises ProgramFault, as exchange() does."""

    def __init__(self, document: RewardDocument, folder: Path, output: LimitedOutput, cpu_s: int | None = None):
        self.output = output
        self._last_words = b""
        command = list(document.command)
        program = find(command[0], folder)
        settings = {
            "program": program, "command": command, "purpose": kernel_limits.PROGRAM,
            "memory_mib": document.memory_mib, "cpu_s": cpu_s, "file_mib": 0,
            "readable": [str(folder), installed_with(program), "/proc/self"], "writable": [],
        }  # fmt: skip
        self._process, status = start(
            settings, folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0
        )
        self._streams = [s for s in (self._process.stdin, self._process.stdout, self._process.stderr) if s is not None]
        self._in, self._out, self._err = (stream.fileno() for stream in self._streams)
        for descriptor in (self._in, self._out, self._err):
            os.set_blocking(descriptor, False)
        self._open = {self._out, self._err}
        try:
            self.limits = said_at_start(status, program)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def last_words(self) -> str:
        """The last lines that it has written to stderr, as one."""
        lines = self._last_words.decode(errors="replace").strip().splitlines()[-5:]
        return " | ".join(line.strip()[:200] for line in lines)

    def exchange(self, data: bytes, seconds: float, most: int) -> bytes:
        """Write `data` and return the line that comes back, without its end, of `most` bytes at most.

        seconds: of a processor's time for the program (see Deadline)."""
        self._take_errors()
        if self._out in self._open and (early := self._read(self._out)):
            raise ProgramFault(f"it writes without being asked: {shown(early)}", "answer each line with one line")
        deadline = Deadline(self.pid, seconds)
        left, line = memoryview(data), b""
        while left or not line.endswith(b"\n"):
            if self._out not in self._open:
                raise self._ended()
            readable = self._wait(deadline.left(), writing=bool(left))
            if readable is None:
                raise ProgramFault(
                    f"it did not answer within {seconds:g} s: endless loop or too slow",
                    "make it faster, or give it more time: timeout_s",
                )
            if self._in in readable:
                left = left[self._write(left) :]
            if self._err in readable:
                self._take_errors()
            if self._out in readable:
                line += self._read(self._out)
                if len(line) > most:
                    raise ProgramFault(f"its answer is longer than {most:,} bytes", "answer with the rewards alone")
                if b"\n" in line[:-1]:
                    after = line.partition(b"\n")[2]
                    raise ProgramFault(
                        f"it answers with more than one line: {shown(after)}", "write messages to stderr"
                    )
        self._take_errors()
        return line[:-1]

    def close(self) -> None:
        """End the process and all of its group; harmless when it has ended."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        for stream in self._streams:
            with contextlib.suppress(OSError):
                stream.close()

    def _wait(self, seconds: float, writing: bool) -> set[int] | None:
        """Descriptors that are ready; None when the time is over."""
        poll = select.poll()
        for descriptor in self._open:
            poll.register(descriptor, select.POLLIN)
        if writing:
            poll.register(self._in, select.POLLOUT)
        ready = {descriptor for descriptor, _ in poll.poll(1000 * seconds)}
        return ready if ready or seconds else None

    def _write(self, data: memoryview) -> int:
        try:
            return os.write(self._in, data)
        except BlockingIOError:
            return 0
        except BrokenPipeError:
            raise self._ended() from None

    def _read(self, descriptor: int) -> bytes:
        """What is there; nothing more is to come when that is nothing."""
        try:
            part = os.read(descriptor, 65_536)
        except BlockingIOError:
            return b""
        if not part:
            self._open.discard(descriptor)
        return part

    def _take_errors(self) -> None:
        while self._err in self._open and (part := self._read(self._err)):
            self._last_words = (self._last_words + part)[-LAST_WORDS:]
            self.output.write(part.decode(errors="replace"))

    def _ended(self) -> ProgramFault:
        """How it has ended, by its status."""
        try:
            status = self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            return ProgramFault("it has closed its input or output", "leave stdin and stdout open until stdin ends")
        self._take_errors()
        reason = f"status {status}" if status >= 0 else signal.Signals(-status).name
        if status == -signal.SIGXCPU:
            reason = "more CPU seconds than allowed"
        return ProgramFault(f"it has ended ({reason})", "run it by hand; it is to answer until its stdin ends")


def find(name: str, folder: Path) -> str:
    """The program's path: one of the document's files, or one that is installed. Raises ProgramFault."""
    if not os.path.isabs(name) and (folder / name).is_file():
        return str((folder / name).resolve())
    found = shutil.which(name, path=os.environ.get("PATH", _FOLDERS))
    if found is None:
        remedy = "install it, on a cluster into the images (docs/reward-languages.md), or bring a program in `files`"
        raise ProgramFault(f"there is no program {name} here", remedy)
    return os.path.abspath(found)


def installed_with(program: str) -> str:
    """The folder with what belongs to an installed program: /opt/node of /opt/node/bin/node."""
    folder = Path(program).resolve().parent
    whole = folder.parent
    private = (Path("/"), Path.home(), Path.home() / ".local")
    return str(whole if folder.name == "bin" and whole not in private else folder)


def start(settings: dict[str, Any], folder: Path, **streams: Any) -> tuple[subprocess.Popen, int]:
    """(the process that becomes the program, a descriptor of what launch.py says about it)."""
    status, theirs = os.pipe()
    try:
        command = [sys.executable, "-I", "-X", "utf8", "-c", START.format(_PACKAGES, theirs), json.dumps(settings)]
        path = f"{Path(settings['program']).parent}:{_FOLDERS}"
        # OPENSSL_CONF: Node reads it at its start and ends where it may not.
        environment = {**ENVIRONMENT, "PATH": path, "OPENSSL_CONF": "/dev/null", **settings.get("environment", {})}
        process = subprocess.Popen(
            command, cwd=folder, env=environment, pass_fds=(theirs,), start_new_session=True, **streams
        )
    except BaseException:
        os.close(status)
        raise
    finally:
        os.close(theirs)
    return process, status


def said_at_start(status: int, program: str) -> list[str]:
    """Names of the limits that hold. Raises ProgramFault when the program cannot be started."""
    with os.fdopen(status, "rb") as file:
        said: dict[str, Any] = {}
        for line in file.read(65_536).splitlines():
            said |= json.loads(line)
    if "error" in said or "limits" not in said:
        raise ProgramFault(
            f"{program} cannot be started: {said.get('error', 'its process died')}",
            "it must be a program for this machine, or a script whose first line names one",
        )
    return list(said["limits"])


def shown(data: bytes) -> str:
    return "".join(c if c.isprintable() else "?" for c in data.decode(errors="replace").strip()[:80])
