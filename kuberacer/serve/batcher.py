"""Requests that come at once are asked of the network together.

While one batch runs, what comes meanwhile is gathered for the next one. Where requests have come together, the next
batch waits for a moment (WAIT_S), since more are likely; a request that comes alone waits for nobody.
"""

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np
import onnxruntime

Ask = Callable[[list[np.ndarray], onnxruntime.RunOptions], np.ndarray]

MOST_BATCH = 64  # observations that are put together
MOST_WAITING = 512  # observations
WAIT_S = 0.001


class FullError(Exception):
    """So much waits already that more would only wait longer."""


class LateError(Exception):
    """There was no answer in time."""


@dataclass(eq=False)
class _Waiting:
    observations: list[np.ndarray]
    answer: asyncio.Future[np.ndarray]
    since: float = field(default_factory=time.perf_counter)

    @property
    def size(self) -> int:
        return len(self.observations[0])


class Batcher:
    """To be used inside a running loop, as a context. ask: called in a thread of its own.

    tell(observations, seconds that the oldest of them waited, seconds that the network took): of each batch.
    patience_s: of a request, and of a batch.
    """

    def __init__(
        self,
        ask: Ask,
        tell: Callable[[int, float, float], None] = lambda *of: None,
        most_batch: int = MOST_BATCH,
        most_waiting: int = MOST_WAITING,
        wait_s: float = WAIT_S,
        patience_s: float = 10.0,
    ):
        self._ask, self._tell = ask, tell
        self._most_batch, self._most_waiting = most_batch, most_waiting
        self._wait_s, self._patience_s = wait_s, patience_s
        self._queue: deque[_Waiting] = deque()
        self._some = asyncio.Event()
        self._size = 0  # observations in the queue

    async def __aenter__(self) -> "Batcher":
        self._thread = ThreadPoolExecutor(1, "network")
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(self, *error: object) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def predict(self, observations: list[np.ndarray]) -> np.ndarray:
        """(N, …) outputs for an array (N, …) of each sensor.

        Raises FullError, LateError, or what the network raises."""
        waiting = _Waiting(observations, asyncio.get_running_loop().create_future())
        if self._size + waiting.size > self._most_waiting and self._queue:
            raise FullError
        self._queue.append(waiting)
        self._size += waiting.size
        self._some.set()
        try:
            async with asyncio.timeout(self._patience_s):
                return await waiting.answer
        except TimeoutError:
            raise LateError from None

    async def _run(self) -> None:
        together = False
        while True:
            await self._some.wait()
            if together and self._size < self._most_batch:
                await asyncio.sleep(self._wait_s)
            if batch := self._take():
                together = len(batch) > 1
                await self._answer(batch)

    def _take(self) -> list[_Waiting]:
        """Those that have waited longest, as many as a batch holds; who has given up is left out."""
        batch: list[_Waiting] = []
        size = 0
        while self._queue and (not batch or size + self._queue[0].size <= self._most_batch):
            waiting = self._queue.popleft()
            self._size -= waiting.size
            if not waiting.answer.done():
                batch.append(waiting)
                size += waiting.size
        if not self._queue:
            self._some.clear()
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        arrays = zip(*(waiting.observations for waiting in batch), strict=True)
        joined = [each[0] if len(each) == 1 else np.concatenate(each) for each in arrays]
        began = time.perf_counter()
        try:
            outputs = await self._asked(joined)
        except Exception as error:  # whatever it is, who waits is told
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(error)
            return
        self._tell(len(outputs), began - batch[0].since, time.perf_counter() - began)
        begin = 0
        for waiting in batch:
            if not waiting.answer.done():
                waiting.answer.set_result(outputs[begin : begin + waiting.size])
            begin += waiting.size

    async def _asked(self, observations: list[np.ndarray]) -> np.ndarray:
        """The network's outputs; a network that does not come to an end is ended."""
        stop = onnxruntime.RunOptions()
        loop = asyncio.get_running_loop()
        asked = loop.run_in_executor(self._thread, self._ask, observations, stop)
        try:
            done, _ = await asyncio.wait([asked], timeout=self._patience_s)
        finally:
            stop.terminate = True  # also when this task is cancelled; one that has ended does not mind
        if not done:
            await asyncio.wait([asked])
            raise LateError
        return asked.result()
