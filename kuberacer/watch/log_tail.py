"""The end of a log that grows, wherever it lies."""

import re
from collections.abc import Callable
from typing import NamedTuple

MOST_FIRST = 16 << 10  # bytes of what was there before anyone looked
MOST_NEXT = 256 << 10
_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|[\x00-\x08\x0b-\x1f\x7f]")


class LogTail(NamedTuple):
    """How far a log was read: which one, and how many bytes of it."""

    name: str = ""
    size: int = 0


def new_part(tail: LogTail, name: str, size: int, read: Callable[[int, int], bytes]) -> tuple[list[str], LogTail]:
    """Lines that are new since `tail`, and the tail with them. read(first, last): bytes, both ends included.

    A line without its end waits for it. A log that has become shorter is a new one."""
    fresh = name != tail.name or size < tail.size
    begin = max(0, size - MOST_FIRST) if fresh else max(tail.size, size - MOST_NEXT)
    if size <= begin:
        return [], LogTail(name, size if fresh else tail.size)
    data = read(begin, size - 1)
    whole = data.rfind(b"\n") + 1
    lines = data[:whole].decode(errors="replace").splitlines()
    if begin > (0 if fresh else tail.size):
        lines = lines[1:]  # its beginning is missing
    return [_CONTROL.sub("", line) for line in lines], LogTail(name, begin + whole)
