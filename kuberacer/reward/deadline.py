"""How long to wait for another process: by the processor time that it has had, which takes longer on a busy machine."""

import os
import time
from pathlib import Path

MOST_WAIT = 2.0  # of a deadline by the wall's clock
_UNWATCHED = 0.25  # of a deadline: until then nobody looks at the processor's time


class Deadline:
    """seconds of a processor for the process `pid` from now on, and at most MOST_WAIT times that by the clock."""

    def __init__(self, pid: int, seconds: float):
        self.pid, self.seconds = pid, seconds
        self._began = time.monotonic()
        self._used: float | None = None

    def left(self) -> float:
        """Seconds to wait before asking again; 0 when it is over."""
        lapsed = time.monotonic() - self._began
        if lapsed < _UNWATCHED * self.seconds:
            return _UNWATCHED * self.seconds - lapsed
        used = processor_seconds(self.pid)
        if self._used is None:
            self._used = used - _UNWATCHED * self.seconds
        left = self.seconds - (used - self._used)
        return max(0.02, left) if left > 0 and lapsed < MOST_WAIT * self.seconds else 0.0


def processor_seconds(pid: int) -> float:
    """Processor time that a process has had; of the wall's clock where the system does not tell."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return time.monotonic()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
