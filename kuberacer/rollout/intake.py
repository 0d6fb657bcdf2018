"""Accounting of an iteration: which fragments count, when there are enough, when to go on with fewer.

Pure: no clock, no network. Workers send their fragments in order, so that a sequence number at or below the last one
of its worker has been here before.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, Protocol, TypeVar

LEAST_SHARE = 0.6  # of the quota, with which an iteration goes on at its deadline


class Tagged(Protocol):
    """What the intake needs to know of a fragment."""

    @property
    def tag(self) -> "TagLike": ...

    @property
    def steps(self) -> int: ...


class TagLike(Protocol):
    @property
    def session(self) -> str: ...
    @property
    def worker(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def policy(self) -> int: ...


class Verdict(Enum):
    """What became of a fragment."""

    ACCEPTED = "accepted"
    KEPT = "kept"  # for the next iteration: this one has its quota
    DUPLICATE = "duplicate"
    FOREIGN = "of another session"
    STALE = "stale"
    DAMAGED = "damaged"


class State(Enum):
    """Where an iteration stands."""

    COLLECTING = "collecting"
    COMPLETE = "complete"
    SHORT = "short"  # the deadline has passed and at least LEAST_SHARE is there
    LATE = "late"  # the deadline has passed and too little is there: it goes on waiting
    STALLED = "stalled"  # the second deadline has passed, too


F = TypeVar("F", bound=Tagged)


@dataclass
class Intake(Generic[F]):
    """Takes fragments of one session.

    fragment_steps: of every fragment; others are damaged. allowed_lag: how many versions older than the newest policy
    a fragment may be.
    """

    session: str
    fragment_steps: int
    allowed_lag: int
    counts: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(Verdict, 0))
    quota: int = 0
    accepted: list[F] = field(default_factory=list)
    _kept: deque[F] = field(default_factory=deque)
    _last: dict[str, int] = field(default_factory=dict)
    _version: int = 0
    _deadline: float = 0.0
    _stall: float = 0.0

    def begin(self, quota: int, version: int, now: float, deadline_s: float, stall_s: float) -> None:
        """Begin an iteration that wants `quota` steps (a multiple of the fragments'), with `version` the newest."""
        if quota <= 0 or quota % self.fragment_steps:
            raise ValueError(f"a quota of {quota} steps is no multiple of {self.fragment_steps}")
        if version < self._version:
            raise ValueError(f"version {version} after {self._version}")
        self.quota, self._version, self.accepted = quota, version, []
        self._deadline, self._stall = now + deadline_s, now + max(deadline_s, stall_s)
        waiting, self._kept = self._kept, deque()
        for fragment in waiting:
            self.counts[Verdict.KEPT] -= 1
            self._count(self._place(fragment))

    def offer(self, fragment: F) -> Verdict:
        """Take a fragment in, or count why not."""
        return self._count(self._judge(fragment))

    def damaged(self) -> Verdict:
        """Bytes that were no fragment."""
        return self._count(Verdict.DAMAGED)

    @property
    def steps(self) -> int:
        """Accepted in this iteration."""
        return len(self.accepted) * self.fragment_steps

    @property
    def missing(self) -> int:
        """Fragments to the quota."""
        return (self.quota - self.steps) // self.fragment_steps

    def state(self, now: float) -> State:
        if self.steps >= self.quota:
            return State.COMPLETE
        if now < self._deadline:
            return State.COLLECTING
        if self.steps >= LEAST_SHARE * self.quota:
            return State.SHORT
        return State.STALLED if now >= self._stall else State.LATE

    def summary(self) -> str:
        """What was dropped so far, for the progress line: '' when nothing was."""
        dropped = (Verdict.DUPLICATE, Verdict.STALE, Verdict.FOREIGN, Verdict.DAMAGED)
        return ", ".join(f"{self.counts[v]} {v.value}" for v in dropped if self.counts[v])

    def _judge(self, fragment: F) -> Verdict:
        tag = fragment.tag
        if tag.session != self.session:
            return Verdict.FOREIGN
        if fragment.steps != self.fragment_steps or tag.policy > self._version:
            return Verdict.DAMAGED
        if tag.sequence <= self._last.get(tag.worker, -1):
            return Verdict.DUPLICATE
        self._last[tag.worker] = tag.sequence
        return self._place(fragment)

    def _place(self, fragment: F) -> Verdict:
        if fragment.tag.policy < self._version - self.allowed_lag:
            return Verdict.STALE
        if self.steps >= self.quota:
            self._kept.append(fragment)
            return Verdict.KEPT
        self.accepted.append(fragment)
        return Verdict.ACCEPTED

    def _count(self, verdict: Verdict) -> Verdict:
        self.counts[verdict] += 1
        return verdict


def chains(fragments: list[F], joins: Callable[[F, F], bool] = lambda one, other: True) -> list[list[F]]:
    """Fragments of one worker that follow each other without a gap, in order; each chain is one stretch of play."""
    found: list[list[F]] = []
    for fragment in sorted(fragments, key=lambda f: (f.tag.worker, f.tag.sequence)):
        last = found[-1][-1] if found else None
        follows = last is not None and (last.tag.worker, last.tag.sequence + 1) == (
            fragment.tag.worker,
            fragment.tag.sequence,
        )
        if follows and last is not None and joins(last, fragment):
            found[-1].append(fragment)
        else:
            found.append([fragment])
    return found
