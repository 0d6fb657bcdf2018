"""A pod's log, line by line while it is written, into a file here; broken connections are taken up where they broke."""

import threading
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.remote.cluster import Cluster, NotThere, Unreachable
from kuberacer.run.remote.pods import exit_status

QUIET_S = 60.0  # a stream without bytes for so long is opened anew: nobody tells of some broken ones
AGAIN_S = 1.0
TAIL = 60


class PodLog(threading.Thread):
    """Follows one pod's container until it has ended and everything that it printed is here.

    log: is appended to. say: is called with each line, in this thread.
    """

    def __init__(
        self, cluster: Cluster, namespace: str, pod: str, log: Path, say: Callable[[str], None], container: str = "main"
    ):
        super().__init__(name=f"log of {pod}", daemon=True)
        self.tail: deque[str] = deque(maxlen=TAIL)
        self._cluster = cluster
        self._path = f"/api/v1/namespaces/{namespace}/pods/{pod}"
        self._container = container
        self._log = log
        self._say = say
        self._last = ""  # time of the newest line
        self._leave = threading.Event()

    def stop(self) -> None:
        self._leave.set()

    def run(self) -> None:
        with self._log.open("ab", buffering=0) as file:
            while not self._leave.is_set():
                try:
                    ended = exit_status(self._cluster.get(self._path), self._container) is not None
                    self._read(file)
                    if ended:
                        return
                except NotThere:
                    return
                except Unreachable:
                    pass
                except UserError:  # the container is being made
                    pass
                self._leave.wait(AGAIN_S)

    def _read(self, file: Any) -> None:
        """To the end of the stream. A line that was read before is not told again."""
        since = f"{self._last[:19]}Z" if self._last else None
        with self._cluster.open(
            "GET",
            f"{self._path}/log",
            container=self._container,
            follow="true",
            timestamps="true",
            sinceTime=since,
            timeout=QUIET_S,
        ) as answer:
            before = self._last
            for line in lines(answer.stream(65536)):
                stamp, _, text = line.partition(" ")
                if stamp > before:
                    file.write(f"{text}\n".encode())
                    self._last = stamp
                    for part in text.replace("\r", "\n").split("\n"):
                        self.tail.append(part)
                        self._say(part)
                if self._leave.is_set():
                    return


def lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """What a stream that breaks leaves of its last line is dropped: the next stream has it whole."""
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.decode("utf-8", "replace")
    if rest:
        yield rest.decode("utf-8", "replace")
