"""Errors that a person reads: what is wrong and what to do about it, a line each."""

import sys
from collections.abc import Callable

from kuberacer.usage import METER


class UserError(Exception):
    """A fault that the user can mend.

    cause: one line, says what is wrong and where. remedy: one line, says what to do.
    """

    def __init__(self, cause: str, remedy: str):
        super().__init__(cause)
        self.cause = cause
        self.remedy = remedy

    def __reduce__(self) -> tuple:  # Exception's own would forget the remedy on the way to another process
        return type(self), (self.cause, self.remedy)

    def __str__(self) -> str:
        return f"error: {self.cause}\nremedy: {self.remedy}"


def run_main(main: Callable[[], None]) -> None:
    """Run a stage's main: a UserError ends it with its two lines and status 1, Ctrl-C with status 130.

    However it ends, what it took is told."""
    try:
        main()
    except UserError as error:
        print(error, file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    finally:
        METER.tell()
