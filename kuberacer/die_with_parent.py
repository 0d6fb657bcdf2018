"""Ties a child process to the one that started it, so that nothing is left behind however that one ends."""

import ctypes
import signal
import sys

_SET_PDEATHSIG = 1  # linux/prctl.h
# Looked up before any fork: between fork and exec a child had better not load anything.
_PRCTL = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def die_with_parent() -> None:
    """In the child, or as preexec_fn: the kernel kills it when the thread that started it ends.

    Linux alone has this; elsewhere nothing happens.
    """
    if _PRCTL is not None:
        _PRCTL(_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
