"""Looking at processes that may end at any moment."""

import contextlib
import subprocess
import time
from dataclasses import dataclass, field

import psutil

PATIENCE_S = 900  # for a machine with other things to do; nothing is expected to take long


def running(process: psutil.Process) -> bool:
    """Neither ended nor a zombie, asked in one go: a process may end between two questions."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    return False


def gone(pid: int, timeout_s: float = 10) -> bool:
    """Whether the process ended within this time."""
    until = time.monotonic() + timeout_s
    while time.monotonic() < until:
        try:
            if not running(psutil.Process(pid)):
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


@dataclass(kw_only=True)
class Watched:
    """A running command, the lines that it printed, and every process that it ever had."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    seen: dict[int, psutil.Process] = field(default_factory=dict)

    def look(self) -> dict[int, psutil.Process]:
        with contextlib.suppress(psutil.NoSuchProcess):
            self.seen |= {child.pid: child for child in psutil.Process(self.process.pid).children(recursive=True)}
        return self.seen

    def child(self, text: str) -> psutil.Process:
        """The process with this text in its command line, as soon as there is one."""
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until:
            for child in self.look().values():
                with contextlib.suppress(psutil.Error):
                    if running(child) and text in " ".join(child.cmdline()):
                        return child
            time.sleep(0.05)
        raise AssertionError(f"{text} does not run")

    def wait_for(self, text: str) -> None:
        """Until a line with this text was printed."""
        until = time.monotonic() + PATIENCE_S
        while not any(text in line for line in list(self.lines)):
            assert self.process.poll() is None, self.lines
            assert time.monotonic() < until, self.lines
            self.look()
            time.sleep(0.05)

    def end(self) -> int:
        """The exit status of the command."""
        until = time.monotonic() + PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < until, self.lines
            self.look()
            time.sleep(0.05)
        time.sleep(0.2)  # for the last lines
        return self.process.returncode

    def left_behind(self) -> list[str]:
        """Processes of the command that are still there a moment after its end."""
        _, alive = psutil.wait_procs(list(self.seen.values()), timeout=20)
        left = []
        for process in alive:
            with contextlib.suppress(psutil.NoSuchProcess):
                if running(process):
                    left.append(" ".join(process.cmdline()))
        return left
