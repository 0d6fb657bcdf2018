"""Which runs may go: a policy, decided from what runs are, never from what is easy to remove."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from kuberacer.errors import UserError

DAY_S = 86400.0


@dataclass(frozen=True)
class Policy:
    """A run is kept when one of these says so; the environment's KUBERACER_KEEP_* give them.

    newest: so many of the newest. days: that were changed within so many days. best: that have one of the first so many
    places in a race, on a leaderboard or among all. published: that have a model card, all of them.
    """

    newest: int = 10
    days: float = 30.0
    best: int = 1
    published: bool = False
    quiet_hours: float = 24.0  # a run that wrote into a bucket within so many hours may be going on

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> "Policy":
        """Raises UserError naming the variable that is wrong."""

        def read(name: str, otherwise: float, whole: bool = True) -> float:
            text = environment.get(name, "").strip()
            try:
                number = float(text or otherwise)
                if not 0 <= number < 1e9 or (whole and number != int(number)):
                    raise ValueError
            except ValueError:
                kind = "a whole number" if whole else "a number"
                raise UserError(f"{name} is {text!r}", f"give {kind} from 0, such as {otherwise:g}") from None
            return number

        published = environment.get("KUBERACER_KEEP_PUBLISHED", "").strip().lower()
        if published not in ("", "0", "1", "true", "false", "yes", "no"):
            raise UserError(f"KUBERACER_KEEP_PUBLISHED is {published!r}", "give 1 or 0")
        return cls(
            newest=int(read("KUBERACER_KEEP_NEWEST", cls.newest)),
            days=read("KUBERACER_KEEP_DAYS", cls.days, whole=False),
            best=int(read("KUBERACER_KEEP_BEST", cls.best)),
            published=published in ("1", "true", "yes"),
            quiet_hours=read("KUBERACER_KEEP_QUIET_HOURS", cls.quiet_hours, whole=False),
        )

    def line(self) -> str:
        kept = [f"the newest {self.newest}", f"changed within {self.days:g} days", "going on"]
        kept += [f"the first {self.best} of every race"] if self.best else []
        return "kept are runs " + ", ".join(kept + (["published"] if self.published else []))


@dataclass(frozen=True)
class Candidate:
    """A run. changed: seconds since the epoch. best: which place in a race it has, "" without one that counts."""

    name: str
    changed: float
    size: int
    published: bool = False
    best: str = ""
    going: bool = False


def reasons(runs: Iterable[Candidate], policy: Policy, now: float) -> dict[str, str]:
    """Why a run is kept, by its name; "" for one that may go."""
    ordered = sorted(runs, key=lambda run: (run.changed, run.name), reverse=True)
    return {run.name: _reason(rank, run, policy, now) for rank, run in enumerate(ordered)}


def _reason(rank: int, run: Candidate, policy: Policy, now: float) -> str:
    if run.going:
        return "it is going on"
    if rank < policy.newest:
        return f"one of the newest {policy.newest}"
    if now - run.changed < policy.days * DAY_S:
        return f"changed {max(0.0, now - run.changed) / DAY_S:.1f} days ago"
    if run.best:
        return run.best
    if policy.published and run.published:
        return "published"
    return ""


def best_runs(entries: Iterable[Mapping[str, Any]], places: int) -> dict[str, str]:
    """The runs with the first places in each race, among all and on each leaderboard.

    entries: a leaderboard's, by rank within each race (kuberacer.report.leaderboard).
    """
    taken: dict[tuple[str, ...], int] = {}
    found: dict[str, str] = {}
    for entry in entries:
        race = (str(entry["race_type"]), str(entry["track"]))
        for board in {"", str(entry.get("leaderboard", ""))}:
            place = taken[(*race, board)] = taken.get((*race, board), 0) + 1
            if place <= places:
                on = f" on the leaderboard {board}" if board else ""
                found.setdefault(str(entry["run"]), f"place {place} in {race[0]} on {race[1]}{on}")
    return found
