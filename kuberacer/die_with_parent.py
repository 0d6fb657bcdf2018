"""Ties a child process to the one that started it, so that nothing is left behind however that one ends.

Not with subprocess' preexec_fn: Python code between fork and exec waits for ever for a lock that another thread held
when the process was forked.
"""

import ctypes
import os
import signal
import sys

_SET_PDEATHSIG = 1  # linux/prctl.h
_START = f"""
import ctypes, os, sys
ctypes.CDLL(None).prctl({_SET_PDEATHSIG}, {int(signal.SIGKILL)}, 0, 0, 0)
if os.getppid() != int(sys.argv[1]):
    os._exit(1)  # the parent has ended before this line
os.execvp(sys.argv[2], sys.argv[2:])
"""


def die_with_parent() -> None:
    """In the child: the kernel kills it when the thread that started it ends.

    Linux alone has this; elsewhere nothing happens.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def dying_with_parent(command: list[str]) -> list[str]:
    """The command, started so that it dies with the thread that starts it: a small Python that becomes the program."""
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", "-c", _START, str(os.getpid()), *command]
