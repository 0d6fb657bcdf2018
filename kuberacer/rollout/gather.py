"""The trainer's ear: collects an iteration's fragments, and says what it waits for."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from kuberacer.errors import UserError
from kuberacer.rollout.broker import TrainerBroker
from kuberacer.rollout.fragment import Fragment, FragmentError, decode
from kuberacer.rollout.intake import Intake, State
from kuberacer.rollout.workers import Workers

LEAST_DEADLINE_S = 60.0  # a worker's restart, Redis' restart, and the play of what was lost
SLOWER = 4.0  # so many times as long as iterations take, an iteration may take
STALL_S = 600.0
AT_ONCE = 64  # fragments of one reading: bounds memory


@dataclass
class Gatherer:
    """`gather` returns an iteration's fragments: its quota, or at the deadline what is there if that is enough."""

    broker: TrainerBroker
    intake: Intake[Fragment]
    workers: Workers
    say: Callable[[str], None]
    fits: Callable[[Fragment], bool] = lambda fragment: True
    least_deadline_s: float = LEAST_DEADLINE_S
    stall_s: float = STALL_S
    usual_s: float = 0.0  # of an iteration, of late
    bytes_read: int = 0
    decode_seconds: float = 0.0
    _last: float = field(default_factory=time.monotonic)

    def gather(self, quota: int, version: int) -> list[Fragment]:
        """Raises UserError: a worker's fault, or a stall that names its cause."""
        now = time.monotonic()
        deadline = max(self.least_deadline_s, SLOWER * self.usual_s)
        self.intake.begin(quota, version, now, deadline, self.stall_s)
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
        came = self.broker.fragments(max(1, min(AT_ONCE, self.intake.missing)), 0.5)
        if not came:
            fault = self.broker.fault()
            if fault is not None:
                raise fault
        for data in came:
            self.take(data)

    def take(self, data: bytes) -> None:
        began = time.perf_counter()
        self.bytes_read += len(data)
        try:
            fragment = decode(data)
        except FragmentError as error:
            self.intake.damaged()
            self.say(f"a damaged fragment is left out: {error}")
            return
        finally:
            self.decode_seconds += time.perf_counter() - began
        if self.fits(fragment):
            self.intake.offer(fragment)
        else:
            self.intake.damaged()
