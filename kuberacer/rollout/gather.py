"""The trainer's ear: collects an iteration's fragments, and says what it waits for."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Condition, Thread

from kuberacer.errors import UserError
from kuberacer.rollout.broker import TrainerBroker
from kuberacer.rollout.fragment import Fragment, FragmentError, decode
from kuberacer.rollout.intake import Intake, State
from kuberacer.rollout.workers import Workers

LEAST_DEADLINE_S = 60.0  # a worker's restart, Redis' restart, and the play of what was lost
SLOWER = 4.0  # so many times as long as iterations take, an iteration may take
STALL_S = 600.0
AT_ONCE = 64  # fragments of one reading


@dataclass
class Gatherer:
    """`gather` returns an iteration's fragments: its quota, or at the deadline what is there if that is enough."""

    broker: TrainerBroker
    intake: Intake[Fragment]
    workers: Workers
    say: Callable[[str], None]
    fits: Callable[[Fragment], bool] = lambda fragment: True
    saw: Callable[[Fragment], None] = lambda fragment: None
    least_deadline_s: float = LEAST_DEADLINE_S
    stall_s: float = STALL_S
    usual_s: float = 0.0  # of an iteration, of late
    bytes_read: int = 0
    _last: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self._reader = Reader(self.broker)

    @property
    def decode_seconds(self) -> float:
        return self._reader.decode_seconds

    def close(self) -> None:
        self._reader.close()

    def gather(self, quota: int, version: int) -> list[Fragment]:
        """Raises UserError: a worker's fault, or a stall that names its cause."""
        now = time.monotonic()
        deadline = max(self.least_deadline_s, SLOWER * self.usual_s)
        self.intake.begin(quota, version, now, deadline, self.stall_s)
        self._reader.ahead = max(AT_ONCE, quota // self.intake.fragment_steps)
        said = 0.0
        while (state := self.intake.state(time.monotonic())) in (State.COLLECTING, State.LATE):
            self._read()
            if state is State.LATE and time.monotonic() - said > 30:
                said = time.monotonic()
                self.say(f"waits for rollouts: {self.why()}")
        if state is State.STALLED:
            raise UserError(
                f"the rollouts have stalled: {self.why()}",
                "see the workers' logs in <run>/logs/ of the store; started again, the run goes on where it is",
            )
        if state is State.SHORT:
            self.say(f"goes on with {self.intake.steps} of {quota} steps: {self.why()}")
        took = time.monotonic() - self._last
        self._last = time.monotonic()
        self.usual_s = took if not self.usual_s else 0.7 * self.usual_s + 0.3 * took
        return self.intake.accepted

    def why(self) -> str:
        """What is there, and who was heard of last when."""
        now = time.time()
        seen = self.broker.workers()
        parts = [f"{self.intake.steps} of {self.intake.quota} steps after {time.monotonic() - self._last:.0f} s"]
        parts.append(f"{self.workers.alive()} workers run, {len(seen)} were heard of")
        parts += [why for why in (self.workers.why_missing(),) if why]
        parts += [each.line(now) for each in seen[:3]]
        if self.intake.summary():
            parts.append(f"dropped so far: {self.intake.summary()}")
        return "; ".join(parts)

    def _read(self) -> None:
        came = self._reader.some(max(1, self.intake.missing), 0.5)
        if not came:
            fault = self.broker.fault()
            if fault is not None:
                raise fault
            return
        self.broker.taken(came[-1][0])
        for _, data, fragment, error in came:
            self.bytes_read += data
            if fragment is None:
                self.intake.damaged()
                self.say(f"a damaged fragment is left out: {error}")
            elif self.fits(fragment):
                self.intake.offer(fragment)
                self.saw(fragment)
            else:
                self.intake.damaged()


Came = tuple[bytes, int, Fragment | None, str]  # entry of the stream, bytes, what they are, or why they are nothing


class Reader:
    """Reads and decodes fragments in a thread of its own, also while the trainer learns: at most `ahead` of them.

    They stay in the stream until they are taken, so that workers see how much waits for the trainer.
    """

    def __init__(self, broker: TrainerBroker):
        self.broker = broker
        self.ahead = AT_ONCE
        self.decode_seconds = 0.0
        self._last = b"0"
        self._waiting: deque[Came] = deque()
        self._changed = Condition()
        self._failure: UserError | None = None
        self._stopped = False
        self._thread = Thread(target=self._run, name="fragments", daemon=True)

    def some(self, most: int, wait_s: float) -> list[Came]:
        """The oldest ones, up to `most`; waits for the first. Raises what ended the reading."""
        if self._thread.ident is None:
            self._thread.start()
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._failure, wait_s)
            if self._failure is not None and not self._waiting:
                raise self._failure
            found = [self._waiting.popleft() for _ in range(min(most, len(self._waiting)))]
            self._changed.notify_all()
            return found

    def close(self) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join(2.0)

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or len(self._waiting) < self.ahead)
                if self._stopped:
                    return
                room = self.ahead - len(self._waiting)
            try:
                came = self.broker.fragments(self._last, min(AT_ONCE, room), 0.5)
            except UserError as error:
                with self._changed:
                    self._failure = error
                    self._changed.notify_all()
                return
            for entry, data in came:
                self._last = entry
                read = (entry, len(data), *self._decoded(data))
                with self._changed:
                    self._waiting.append(read)
                    self._changed.notify_all()

    def _decoded(self, data: bytes) -> tuple[Fragment | None, str]:
        began = time.perf_counter()
        try:
            return decode(data), ""
        except FragmentError as error:
            return None, str(error)
        finally:
            self.decode_seconds += time.perf_counter() - began
