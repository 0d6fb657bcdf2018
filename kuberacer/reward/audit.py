"""Refuses at Python's level what a reward has no business with, so that the message can name the line that asks.

Python's audit events are a courtesy to the user, not a wall: the walls are in kernel_limits.py.
"""

import os
import sys
from collections.abc import Iterable

_REFUSED = (
    "socket.", "subprocess.", "shutil.", "ctypes.", "pty.", "tempfile.", "urllib.", "http.", "ftplib.", "smtplib.",
    "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.startfile", "os.remove", "os.rename",
    "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.truncate", "os.chmod", "os.chown", "os.utime",
    "os.setxattr", "os.kill", "os.putenv", "os.unsetenv", "signal.", "resource.", "sys.addaudithook", "fcntl.",
)  # fmt: skip
_CHANGES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Guard:
    """`with guard:` around the user's code; between such blocks, and for good outside, everything is allowed.

    readable: the files and folders that may be opened for reading.
    """

    def __init__(self, readable: Iterable[str]):
        self._readable = tuple(os.path.realpath(path) for path in readable)
        self._on = False
        sys.addaudithook(self._check)

    def __enter__(self) -> None:
        self._on = True

    def __exit__(self, *_: object) -> None:
        self._on = False

    def _check(self, event: str, arguments: tuple) -> None:
        if not self._on:
            return
        if event == "open":
            self._check_open(*arguments[:3])
        elif event.startswith(_REFUSED):
            what = ", ".join(str(argument)[:60] for argument in arguments[:2] if isinstance(argument, str | bytes))
            raise PermissionError(f"a reward may not use {event}" + (f" ({what})" if what else ""))

    def _check_open(self, path: object, mode: str | None, flags: int) -> None:
        if (mode and set(mode) & set("wax+")) or (flags or 0) & _CHANGES:
            raise PermissionError(f"a reward may not write files: {path!s:.100}")
        if not isinstance(path, str | bytes | os.PathLike):
            raise PermissionError("a reward may not open file descriptors")
        real = os.path.realpath(os.fsdecode(path))
        if not any(real == allowed or real.startswith(allowed + os.sep) for allowed in self._readable):
            raise PermissionError(f"a reward may not read files: {path!s:.100}")
