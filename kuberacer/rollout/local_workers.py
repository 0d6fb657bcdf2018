"""Rollout workers as child processes of the training, on its own machine."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Lock, Thread

from kuberacer.die_with_parent import dying_with_parent
from kuberacer.rollout.workers import EVALUATOR, RedisAddress, worker_arguments
from kuberacer.store.server import last_words
from kuberacer.usage import Held

LONGEST_PAUSE_S = 15.0
GOOD_LIFE_S = 30.0  # after which a worker's end is no sign of a fault of its own
LEAVE_S = 3.0


@dataclass
class _Place:
    """One index and the process that has it now."""

    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    failures: int = 0
    next_start: float = 0.0
    said: str = field(default="")


class LocalWorkers:
    """`Workers` as processes: an ended one is started again, after a pause that grows while it keeps ending.

    A thread of its own starts and watches them; the kernel ends them with it, and with this process.
    """

    def __init__(self, run: str, redis: RedisAddress, environment: dict[str, str], logs: Path, pace: float = 0.0):
        """environment: the store's variables, and others that they need. logs: folder of their output."""
        self.run, self.logs, self.pace = run, logs, pace
        # One thread each: the machine's processors are shared by all of them.
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
        self.environment = {**os.environ, **threads, **environment, **redis.environment()}
        logs.mkdir(parents=True, exist_ok=True)
        self._places: dict[int, _Place] = {}
        self._wanted = 0
        self._lock, self._stop = Lock(), Event()
        self._thread = Thread(target=self._watch, name="workers", daemon=True)

    def launch(self, count: int) -> None:
        self._wanted = count
        self._thread.start()

    def scale(self, count: int) -> None:
        self._wanted = count

    def alive(self) -> int:
        with self._lock:
            return sum(running(place) for index, place in self._places.items() if index != EVALUATOR)

    def processes(self) -> dict[int, int]:
        """index -> process id of those that run."""
        with self._lock:
            return {i: p.process.pid for i, p in self._places.items() if running(p) and p.process is not None}

    def held(self) -> Held:
        return Held()

    def why_missing(self) -> str:
        with self._lock:
            down = [f"worker {i}: {p.said or 'starts'}" for i, p in sorted(self._places.items()) if not running(p)]
        return "; ".join(down[:3])

    def close(self) -> None:
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def _watch(self) -> None:
        while not self._stop.wait(0.05):
            wanted = range(self._wanted + 1)
            for index in wanted:
                place = self._places.get(index)
                if place is None:
                    with self._lock:
                        place = self._places[index] = _Place()
                self._tend(index, place)
            surplus = [index for index in self._places if index not in wanted]
            self._end([self._places[index] for index in surplus])
            for index in surplus:
                with self._lock:
                    del self._places[index]
        self._end(list(self._places.values()))

    def _tend(self, index: int, place: _Place) -> None:
        now = time.monotonic()
        if running(place):
            return
        if place.process is not None:
            lived = now - place.started
            place.failures = 0 if lived > GOOD_LIFE_S else place.failures + 1
            place.next_start = now + min(LONGEST_PAUSE_S, 0.1 * 2**place.failures if place.failures > 1 else 0.0)
            said = last_words(self._log(index).read_text(errors="replace"))
            place.said = f"ended with status {place.process.returncode}: {said}"
            place.process = None
        if now >= place.next_start:
            self._start(index, place)

    def _start(self, index: int, place: _Place) -> None:
        with self._log(index).open("wb") as output:
            place.process = subprocess.Popen(
                dying_with_parent([sys.executable, *worker_arguments(self.run, index, self.pace)]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self.environment,
                start_new_session=True,
            )
        place.started = time.monotonic()

    def _end(self, places: list[_Place]) -> None:
        processes = [place.process for place in places if place.process is not None]
        for process in processes:
            process.terminate()
        until = time.monotonic() + LEAVE_S
        for process in processes:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _log(self, index: int) -> Path:
        return self.logs / f"worker-{index}.log"


def running(place: _Place) -> bool:
    return place.process is not None and place.process.poll() is None
