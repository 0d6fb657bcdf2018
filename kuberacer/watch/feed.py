"""What is new: of one run, and of the list of all.

`id` of a run's events is the number of the history's rows that a page has then, so that one that comes back gets those
it lacks.
"""

import time
from collections import deque
from typing import Any

from kuberacer.formats.live import EVERY_S
from kuberacer.watch import runs
from kuberacer.watch.log_tail import LogTail
from kuberacer.watch.pages import event
from kuberacer.watch.runs import Runs

ENDED_S = 5.0  # between two looks at a run that does not go on
LOOK_S = 3.0  # the least often that history, state and log are looked at
LIST_S = 2.0
AGAIN = 8  # rows that a page gets again when it comes back: the lap of a late iteration may have come since
MOST_LINES = 400


class RunReader:
    """The news of one run."""

    def __init__(self, source: Runs, run: str):
        self.source, self.run = source, run
        self.rows: list[dict[str, Any]] = []
        self.state: dict[str, Any] = {}
        self.now: dict[str, Any] = {}
        self.lines: deque[str] = deque(maxlen=MOST_LINES)
        self._tail = LogTail()
        self._looked = 0.0

    @property
    def pause_s(self) -> float:
        return EVERY_S if self.state.get("state") == runs.RUNNING else ENDED_S

    def read(self) -> list[bytes]:
        news = []
        now = self.source.now(self.run) or {}
        turned = now.get("iteration") != self.now.get("iteration")
        if now and now.get("time") != self.now.get("time"):
            news += live_events(now, self.now)
            self.now = now
        if turned or time.monotonic() - self._looked >= LOOK_S:
            news += self._look()
            self._looked = time.monotonic()
        return news

    def greeting(self, last_id: int) -> list[bytes]:
        parts = [event("state", self.state)] if self.state else []
        known = max(0, last_id - AGAIN) if last_id <= len(self.rows) else 0
        if rows := self.rows[known:]:
            parts.append(history_event(rows, len(self.rows)))
        if self.now:
            parts += live_events(self.now, {})
        if self.lines:
            parts.append(event("log", {"lines": list(self.lines), "all": True}))
        return parts

    def _look(self) -> list[bytes]:
        news = []
        rows = self.source.history(self.run)
        if fresh := changed(self.rows, rows):
            news.append(history_event(fresh, len(rows)))
        self.rows = rows
        state = {**self.source.entry(self.run), "stages": self.source.stages(self.run)}
        if state != self.state:
            news.append(event("state", state))
            self.state = state
        lines, self._tail = self.source.log(self.run, self._tail)
        if lines:
            self.lines.extend(lines)
            news.append(event("log", {"lines": lines[-MOST_LINES:]}))
        return news


class ListReader:
    """The list of all runs, whenever something of it is new."""

    pause_s = LIST_S

    def __init__(self, source: Runs):
        self.source = source
        self.runs: list[dict[str, Any]] = []

    def read(self) -> list[bytes]:
        found = runs.listed(self.source)
        if found == self.runs:
            return []
        self.runs = found
        return [event("runs", {"runs": found})]

    def greeting(self, last_id: int) -> list[bytes]:
        return [event("runs", {"runs": self.runs})]


def changed(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that are new or not as they were: the lap of an iteration may come later than the rest of it."""
    known = {row["iteration"]: row for row in before}
    return [row for row in after if known.get(row["iteration"]) != row]


def history_event(rows: list[dict[str, Any]], number: int) -> bytes:
    columns, values = runs.table(rows)
    return event("history", {"columns": columns, "rows": values}, number)


def live_events(now: dict[str, Any], before: dict[str, Any]) -> list[bytes]:
    """What is new at this moment; the picture apart, and only when it is another one."""
    rest = {name: value for name, value in now.items() if name != "camera"}
    parts = [event("live", {"cars": [], "workers": None, **rest})]
    if now.get("camera") and now["camera"] != before.get("camera"):
        parts.append(event("camera", now["camera"]))
    return parts
