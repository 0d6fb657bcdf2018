"""What pushes a run's news to its pages: one reader a run, however many pages listen, none when none does.

Server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html). `id` is the number of the history's
rows that a page has then, so that one that comes back gets those it lacks.
"""

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from kuberacer.errors import UserError
from kuberacer.formats.live import EVERY_S, finite
from kuberacer.watch import runs
from kuberacer.watch.log_tail import LogTail
from kuberacer.watch.runs import Runs

ENDED_S = 5.0  # between two looks at a run that does not go on
LIST_S = 2.0  # between two looks at all runs
LOOK_S = 3.0  # the least often that history, state and log are looked at
COMMENT_S = 15.0
RETRY_MS = 2000
AGAIN = 8  # rows that a page gets again when it comes back: the lap of a late iteration may have come since
RETRIED = "see what has written it; it is read again every few seconds"
MOST_LINES, MOST_WAITING, MOST_PAGES = 400, 200, 100


class CrowdedError(UserError):
    """More pages listen than this server serves."""


class Feed:
    """The news of one run, for any number of pages."""

    def __init__(self, source: Runs, run: str):
        self.source, self.run = source, run
        self.pages: set[asyncio.Queue[bytes | None]] = set()
        self.rows: list[dict[str, Any]] = []
        self.entry: dict[str, Any] = {}
        self.now: dict[str, Any] = {}
        self.lines: deque[str] = deque(maxlen=MOST_LINES)
        self.away: dict[str, str] | None = None
        self._tail = LogTail()
        self._looked = 0.0
        self._first = asyncio.Event()

    async def keep_reading(self) -> None:
        """Until no page listens."""
        while self.pages:
            began = time.monotonic()
            news, away = [], None
            try:
                news = await asyncio.to_thread(self.read)
            except UserError as error:
                away = {"cause": error.cause, "remedy": error.remedy}
            except Exception as error:  # a run's files are whatever somebody has put there
                away = {"cause": f"what the run has stored cannot be read ({type(error).__name__})", "remedy": RETRIED}
            if (away is None) != (self.away is None):
                news.append(event("away", away))
            self.away = away
            self._first.set()
            for piece in news:
                self._push(piece)
            await asyncio.sleep(max(0.1, self.pause_s() - (time.monotonic() - began)))

    def pause_s(self) -> float:
        """From one look to the next."""
        return EVERY_S if self.entry.get("state") == runs.RUNNING else ENDED_S

    def read(self) -> list[bytes]:
        """Ask the source once; what is new, as events. Takes as long as the source's answers."""
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

    def _look(self) -> list[bytes]:
        news = []
        rows = self.source.history(self.run)
        if fresh := changed(self.rows, rows):
            news.append(history_event(fresh, len(rows)))
        self.rows = rows
        entry = {**self.source.entry(self.run), "stages": self.source.stages(self.run)}
        if entry != self.entry:
            news.append(event("state", entry))
            self.entry = entry
        lines, self._tail = self.source.log(self.run, self._tail)
        if lines:
            self.lines.extend(lines)
            news.append(event("log", {"lines": lines[-MOST_LINES:]}))
        return news

    def greeting(self, last_id: int) -> list[bytes]:
        """What a page needs that has the first last_id rows of the history."""
        parts = [f"retry: {RETRY_MS}\n\n".encode()]
        if self.away is not None:
            parts.append(event("away", self.away))
        if self.entry:
            parts.append(event("state", self.entry))
        known = max(0, last_id - AGAIN) if last_id <= len(self.rows) else 0
        if rows := self.rows[known:]:
            parts.append(history_event(rows, len(self.rows)))
        if self.now:
            parts += live_events(self.now, {})
        if self.lines:
            parts.append(event("log", {"lines": list(self.lines), "all": True}))
        return parts

    def join(self) -> asyncio.Queue[bytes | None]:
        """A page's queue of events; None in it ends the page."""
        queue: asyncio.Queue[bytes | None] = asyncio.Queue(MOST_WAITING)
        self.pages.add(queue)
        return queue

    async def stream(self, queue: asyncio.Queue[bytes | None], last_id: int) -> AsyncIterator[bytes]:
        """The events for one page, until it goes away or cannot follow."""
        try:
            await self._first.wait()
            while not queue.empty():  # the greeting has all of it
                queue.get_nowait()
            for part in self.greeting(last_id):
                yield part
            while True:
                try:
                    piece = await asyncio.wait_for(queue.get(), COMMENT_S)
                except TimeoutError:
                    piece = b": still here\n\n"
                if piece is None:
                    return
                yield piece
        finally:
            self.pages.discard(queue)

    def _push(self, piece: bytes) -> None:
        for queue in list(self.pages):
            try:
                queue.put_nowait(piece)
            except asyncio.QueueFull:  # it comes back, and gets what it lacks
                self.pages.discard(queue)
                with contextlib.suppress(asyncio.QueueEmpty):
                    queue.get_nowait()
                queue.put_nowait(None)


class ListFeed(Feed):
    """The news of all runs: the whole list, whenever something of it has changed."""

    def __init__(self, source: Runs):
        super().__init__(source, "")
        self.list: list[dict[str, Any]] | None = None

    def pause_s(self) -> float:
        return LIST_S

    def read(self) -> list[bytes]:
        found = runs.entries(self.source)
        if found == self.list:
            return []
        self.list = found
        return [event("runs", {"runs": found})]

    def greeting(self, last_id: int) -> list[bytes]:
        parts = super().greeting(last_id)
        return parts if self.list is None else [*parts, event("runs", {"runs": self.list})]


class Feeds:
    """The feeds that somebody listens to."""

    def __init__(self, source: Runs):
        self.source = source
        self._feeds: dict[str, Feed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def listen(self, run: str, last_id: int) -> AsyncIterator[bytes]:
        """The events for one page that has the first last_id rows already; run "": of all runs. Raises CrowdedError."""
        if sum(len(feed.pages) for feed in self._feeds.values()) >= MOST_PAGES:
            raise CrowdedError(f"{MOST_PAGES} pages are being served already", "close some, or start another server")
        feed = self._feeds.setdefault(run, Feed(self.source, run) if run else ListFeed(self.source))
        stream = feed.stream(feed.join(), last_id)
        if run not in self._tasks:
            self._tasks[run] = asyncio.create_task(self._read(feed))
        return stream

    async def _read(self, feed: Feed) -> None:
        try:
            await feed.keep_reading()
        finally:
            del self._feeds[feed.run], self._tasks[feed.run]

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


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


def event(name: str, data: Any, number: int | None = None) -> bytes:
    """JSON has no line breaks, so one data line is enough."""
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {json.dumps(finite(data), separators=(',', ':'))}\n\n".encode()
