"""Takes what a reward prints, up to a limit."""

import io

LIMIT = 16_384  # characters


class OutputFlood(Exception):
    """More was printed than anyone reads."""


class LimitedOutput(io.TextIOBase):
    """Stands for stdout and stderr of the user's code; `take()` hands over what was printed since the last time.

    strict: more than LIMIT characters is an OutputFlood; otherwise the rest is dropped, with a note.
    """

    encoding = "utf-8"

    def __init__(self, strict: bool):
        self.strict = strict
        self._parts: list[str] = []
        self._size = 0

    def write(self, text: str) -> int:
        if self._size <= LIMIT:
            self._parts.append(text[:LIMIT])
        self._size += len(text)
        if self._size > LIMIT:
            if self.strict:
                self._parts.clear()
                raise OutputFlood(f"prints more than {LIMIT:,} characters")
            if self._size - len(text) <= LIMIT:
                self._parts.append("\n[the reward prints too much; the rest is left out]\n")
        return len(text)

    def writable(self) -> bool:
        return True

    @property
    def waiting(self) -> bool:
        return bool(self._parts)

    def take(self) -> str:
        text = "".join(self._parts)
        self._parts.clear()
        return text


def one_line(text: str) -> str:
    """The same on one line."""
    return printable(" ".join(text.split()))


def printable(text: str) -> str:
    """Without what would steer a terminal."""
    return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in text)
