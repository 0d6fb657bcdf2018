"""A store that is away comes back: try again with growing pauses, and say so."""

import time
from collections.abc import Callable
from typing import TypeVar

from kuberacer.store.client import AwayError

PATIENCE_S = 300.0
T = TypeVar("T")


def persevere(
    what: str,
    action: Callable[[], T],
    say: Callable[[str], None],
    patience_s: float = PATIENCE_S,
    going: Callable[[], bool] = lambda: True,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """Run an action that may be repeated until the store answers. Raises AwayError when it stays away for patience_s,
    or when `going` says that there is no time left."""
    began, pause, said = time.monotonic(), 0.25, False
    while True:
        try:
            found = action()
        except AwayError as error:
            waited = time.monotonic() - began
            if waited > patience_s or not going():
                raise
            if not said:
                say(f"{what}: {error.cause}; trying again for up to {patience_s:.0f} s")
                said = True
            sleep(pause)
            pause = min(10.0, 1.6 * pause)
        else:
            if said:
                say(f"{what}: the store is back after {time.monotonic() - began:.0f} s")
            return found
