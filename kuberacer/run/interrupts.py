"""Ctrl-C, and what else asks a run to end: one exception, whoever listens."""

import asyncio
import contextlib
import signal
from collections.abc import Coroutine, Iterator
from types import FrameType
from typing import Any, TypeVar

from kuberacer.errors import UserError

# Who starts a run with nohup wants it to outlive the terminal.
_HANGUP = () if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else (signal.SIGHUP,)
_SIGNALS = (signal.SIGINT, signal.SIGTERM, *_HANGUP)
T = TypeVar("T")


class Interrupted(BaseException):
    """The run was asked to end. Not a KeyboardInterrupt, which libraries on the way catch."""

    def __init__(self, number: int):
        super().__init__(signal.Signals(number).name)
        self.number = number


class Stopped(UserError):
    """A run that was interrupted, as it is told to the user."""

    def __init__(self, number: int, remedy: str):
        name = signal.Signals(number).name
        super().__init__("interrupted" if number == signal.SIGINT else f"interrupted by {name}", remedy)
        self.exit_status = 128 + number


def _raise(number: int, frame: FrameType | None) -> None:
    raise Interrupted(number)


@contextlib.contextmanager
def raised_on_signals() -> Iterator[None]:
    """Within, the signals that ask a program to end raise Interrupted."""
    before = {number: signal.signal(number, _raise) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def run_interruptible(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine to its end. A signal cancels it (a second one again, so that it need not wait any longer).

    Raises Interrupted once it has cleaned up.
    """
    received: list[int] = []

    async def main() -> T:
        task = asyncio.ensure_future(coroutine)

        def interrupt(number: int) -> None:
            received.append(number)
            task.cancel()

        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, interrupt, number)
        try:
            return await task
        finally:
            for number in _SIGNALS:
                loop.remove_signal_handler(number)
                signal.signal(number, _raise)

    try:
        return asyncio.run(main())
    except asyncio.CancelledError:
        raise Interrupted(received[0] if received else signal.SIGINT) from None
