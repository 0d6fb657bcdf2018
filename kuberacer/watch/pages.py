"""Server-sent events for any number of pages from one reader, which asks nothing when no page listens.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Any, Protocol

from kuberacer.errors import UserError
from kuberacer.formats.live import to_text

COMMENT_S = 15.0
RETRY_MS = 2000
MOST_WAITING, MOST_PAGES = 200, 100
RETRIED = "see what has written it; it is read again every few seconds"


class CrowdedError(UserError):
    """More pages listen than this server serves."""


class Reader(Protocol):
    """What there is to tell."""

    @property
    def pause_s(self) -> float:
        """Between two calls of `read`."""

    def read(self) -> list[bytes]:
        """Ask the store or the disk once; what is new, as events. Runs in a thread, for as long as they take."""

    def greeting(self, last_id: int) -> list[bytes]:
        """Events for a page that has last_id rows already and gets `read`'s from now on."""


class Feed:
    """One reader and its pages. What `read` raises is told as the event `away`, and null when that is over."""

    def __init__(self, reader: Reader):
        self.reader = reader
        self.pages: set[asyncio.Queue[bytes | None]] = set()
        self.away: dict[str, str] | None = None
        self._first = asyncio.Event()

    async def keep_reading(self) -> None:
        """Until no page listens."""
        while self.pages:
            began = time.monotonic()
            news, away = [], None
            try:
                news = await asyncio.to_thread(self.reader.read)
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
            await asyncio.sleep(max(0.1, self.reader.pause_s - (time.monotonic() - began)))

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
            yield f"retry: {RETRY_MS}\n\n".encode()
            if self.away is not None:
                yield event("away", self.away)
            for part in self.reader.greeting(last_id):
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


class Feeds:
    """The feeds that somebody listens to, by name."""

    def __init__(self) -> None:
        self._feeds: dict[str, Feed] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def listen(self, name: str, reader: Reader, last_id: int = 0) -> AsyncIterator[bytes]:
        """The events for one page that has last_id rows already; `reader` is for the first page of a name.

        Raises CrowdedError."""
        if sum(len(feed.pages) for feed in self._feeds.values()) >= MOST_PAGES:
            raise CrowdedError(f"{MOST_PAGES} pages are being served already", "close some, or start another server")
        feed = self._feeds.setdefault(name, Feed(reader))
        stream = feed.stream(feed.join(), last_id)
        if name not in self._tasks:
            self._tasks[name] = asyncio.create_task(self._read(name, feed))
        return stream

    async def _read(self, name: str, feed: Feed) -> None:
        try:
            await feed.keep_reading()
        finally:
            del self._feeds[name], self._tasks[name]

    async def close(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def event(name: str, data: Any, number: int | None = None) -> bytes:
    """JSON has no line breaks, so one data line is enough. number: the event's id."""
    head = "" if number is None else f"id: {number}\n"
    return f"{head}event: {name}\ndata: {to_text(data)}\n\n".encode()
