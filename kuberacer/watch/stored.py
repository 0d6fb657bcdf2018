"""A run as its object store knows it: about, history, the moment, the log (kuberacer.formats.live, docs/store.md)."""

import time
from typing import Any

from kuberacer.errors import UserError
from kuberacer.formats import live
from kuberacer.settings import StoreSettings
from kuberacer.store.checkpoints import Manifest
from kuberacer.store.client import NotFoundError, ObjectStore, TooLargeError
from kuberacer.watch.log_tail import LogTail, new_part

HISTORY = "history.jsonl"
MOST_HISTORY = 64 << 20
MOST_MANIFEST = 1 << 20


def quick_store(settings: StoreSettings) -> ObjectStore:
    """One that says soon when the store is away: it is asked again in a second."""
    return ObjectStore(settings, timeout_s=5, attempts=1)


class StoredRun:
    """One run in a store. Every method raises AwayError when the store does not answer."""

    def __init__(self, store: ObjectStore, prefix: str):
        self.store, self.prefix = store, prefix
        self._rows: list[dict[str, Any]] = []
        self._read = ""  # the manifest that the rows are from
        self._marked = -live.RENEW_S
        self.may_mark = True

    def about(self) -> dict[str, Any] | None:
        return self._object(live.about_key(self.prefix))

    def now(self) -> dict[str, Any] | None:
        return self._object(live.now_key(self.prefix))

    def silent_s(self) -> float | None:
        """Since when nothing was heard of the training; None when nothing ever was."""
        return self.store.age(live.now_key(self.prefix))

    def watch(self) -> None:
        """Let the training know that somebody watches. The one thing that is ever written; without the right to it,
        cars and camera stay away."""
        if not self.may_mark or time.monotonic() - self._marked < live.RENEW_S:
            return
        self._marked = time.monotonic()
        try:
            self.store.put_bytes(live.watched_key(self.prefix), b"")
        except UserError as error:
            if "denies" not in error.cause:
                raise
            self.may_mark = False

    def history(self) -> list[dict[str, Any]]:
        """Rows of kuberacer.report.history, as far as they are in the last checkpoint."""
        names = [e.key for e in self.store.entries(f"{self.prefix}/checkpoints/") if e.key.endswith(".json")]
        if names and names[-1] != self._read:
            try:
                manifest = Manifest.parse(self.store.get_bytes(names[-1], MOST_MANIFEST), names[-1])
                digest, _ = manifest.files[HISTORY]
                text = self.store.get_bytes(f"{self.prefix}/objects/{digest}", MOST_HISTORY)
            except (NotFoundError, TooLargeError, KeyError):  # pruned a moment ago
                return self._rows
            self._rows, self._read = rows_of(text), names[-1]
        return self._rows

    def log(self, tail: LogTail) -> tuple[list[str], LogTail]:
        """The new lines of the log that was written last."""
        logs = [entry for entry in self.store.entries(f"{self.prefix}/logs/") if entry.key.endswith(".log")]
        if not logs:
            return [], tail
        newest = max(logs, key=lambda entry: entry.modified)
        return new_part(
            tail, newest.key, newest.size, lambda first, last: b"".join(self.store.part(newest.key, first, last))
        )

    def _object(self, key: str) -> dict[str, Any] | None:
        try:
            return live.read(self.store.get_bytes(key, live.MOST_BYTES))
        except (NotFoundError, TooLargeError):
            return None


def rows_of(text: bytes) -> list[dict[str, Any]]:
    """The rows of a history; lines that are none are left out."""
    rows = []
    for line in text.splitlines():
        try:
            row = live.to_value(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(row, dict) and isinstance(row.get("iteration"), int):
            rows.append(row)
    return rows
