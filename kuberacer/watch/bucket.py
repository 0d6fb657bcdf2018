"""The runs of a bucket."""

import re
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from kuberacer.formats import live
from kuberacer.formats.race_result import RESULT
from kuberacer.store.client import NotFoundError, ObjectStore, TooLargeError
from kuberacer.watch import runs
from kuberacer.watch.log_tail import LogTail
from kuberacer.watch.names import LATEST, checked_path, checked_run, is_file_of_run, prefix_of
from kuberacer.watch.runs import File
from kuberacer.watch.stored import StoredRun

CARD = "model_card.json"
MOST_CARD = 4 << 20
MOST_FILES = 20_000
AT_ONCE = 8  # questions to the store
FRESH_S, ENDED_FRESH_S = 5.0, 60.0  # how long an answer is good for, of runs that go on and of others
PUBLISH_S = 1800.0  # from the end of the training to the model's publication, at most
_NOT_RUNS = re.compile(r"inputs|leaderboards|argo|rivals|\..*")
T = TypeVar("T")


class BucketRuns:
    """All folders of a bucket that hold a training's or a published model's files."""

    def __init__(self, store: ObjectStore):
        self.store = store
        self._runs: dict[str, StoredRun] = {}
        self._kept: dict[str, tuple[float, dict[str, Any] | None]] = {}
        self._lock = threading.Lock()

    def names(self) -> list[str]:
        found = [name for name in self.store.folders() if self._may_be_run(name)]
        for sweep in list(found):
            prefix = f"{sweep}/trials/"
            found += [f"{sweep}~{path.removeprefix(prefix)}" for path in self.store.folders(prefix)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            entries = [entry for entry in pool.map(self._entry, filter(self._may_be_run, found)) if entry]
        return [entry["run"] for entry in sorted(entries, key=lambda e: e["started"] or 0.0, reverse=True)]

    def entry(self, run: str) -> dict[str, Any]:
        return self._known(run)

    def detail(self, run: str) -> dict[str, Any]:
        entry = self._known(run)
        stored = self._stored(entry["run"])
        about, card = stored.about() or {}, self._card(entry["run"]) or {}
        results = card.get("results") if isinstance(card.get("results"), dict) else {}
        evaluation = None
        if results:
            evaluation = {
                "trials": results.get("trials"), "laps_completed": results.get("laps_completed"),
                "best_lap": results.get("best_lap_s"),
                "rows": runs.trials(self._bytes(entry["run"], f"metrics/{RESULT}")),
            }  # fmt: skip
        settings = about.get("settings") or {
            name: card.get(name) for name in ("hyperparameters", "metadata", "reward") if card.get(name)
        }
        return {
            "track_outline": about.get("track"),
            "evaluation": evaluation,
            "settings": {**settings, "seed": about.get("seed", card.get("seed"))},
            "error": about.get("error"),
        }

    def stages(self, run: str) -> list[dict[str, Any]]:
        entry = self._known(run)
        return _stages(self._stored(entry["run"]).about() or {}, entry)

    def history(self, run: str) -> list[dict[str, Any]]:
        return self._stored(self._known(run)["run"]).history()

    def now(self, run: str) -> dict[str, Any] | None:
        entry = self._known(run)
        if entry["state"] != runs.RUNNING:
            return None
        stored = self._stored(entry["run"])
        stored.watch()
        return stored.now()

    def log(self, run: str, tail: LogTail) -> tuple[list[str], LogTail]:
        return self._stored(self._known(run)["run"]).log(tail)

    def files(self, run: str) -> list[File]:
        prefix, found = prefix_of(self._known(run)["run"]) + "/", []
        for entry in self.store.entries(prefix):
            path = entry.key.removeprefix(prefix)
            if is_file_of_run(path) and not path.startswith("trials/"):
                found.append(File(path, entry.size, entry.modified))
                if len(found) == MOST_FILES:
                    break
        return found

    def open(self, run: str, path: str) -> File:
        key = self._key(run, path)
        size = self.store.size(key)
        if size is None:
            raise NotFoundError("there is no such file", "choose one of the run's list")
        return File(path, size, 0.0)

    def read(self, run: str, path: str, first: int, last: int) -> Iterator[bytes]:
        return self.store.part(self._key(run, path), first, last)

    def cards(self) -> Iterator[bytes]:
        def card(name: str) -> bytes | None:
            try:
                return self.store.get_bytes(f"{name}/{CARD}", MOST_CARD)
            except NotFoundError:
                return None
            except TooLargeError:
                return b""  # counted with those that cannot be read

        names = [name for name in self.store.folders() if self._may_be_run(name)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            yield from (text for text in pool.map(card, names) if text is not None)

    def _key(self, run: str, path: str) -> str:
        return f"{prefix_of(self._known(run)['run'])}/{checked_path(path)}"

    def _may_be_run(self, name: str) -> bool:
        if _NOT_RUNS.fullmatch(name) or name == LATEST:
            return False
        try:
            return bool(checked_run(name))
        except NotFoundError:
            return False

    def _known(self, run: str) -> dict[str, Any]:
        """The entry of a run. Raises NotFoundError."""
        if run == LATEST:
            run = next(iter(self.names()), LATEST)
        entry = self._entry(run) if self._may_be_run(run) else None
        if entry is None:
            raise NotFoundError(f"there is no run {run}", "choose one of the list")
        return entry

    def _stored(self, run: str) -> StoredRun:
        with self._lock:
            return self._runs.setdefault(run, StoredRun(self.store, prefix_of(run)))

    def _entry(self, run: str) -> dict[str, Any] | None:
        """None for a folder that is no run. Asked again when it may have changed."""
        with self._lock:
            until, entry = self._kept.get(run, (0.0, None))
        if time.monotonic() < until:
            return entry
        entry = self._asked(run)
        lasts = FRESH_S if entry and entry["state"] == runs.RUNNING else ENDED_FRESH_S if entry else FRESH_S
        with self._lock:
            self._kept[run] = (time.monotonic() + lasts, entry)
        return entry

    def _asked(self, run: str) -> dict[str, Any] | None:
        stored = self._stored(run)
        about, card, rows = stored.about(), self._card(run), stored.history()
        if about is None and card is None and not rows:
            return None
        about, card = about or {}, card or {}
        # The trials of a sweep are trained and compared, not published.
        state = _state(about, bool(card) or ("~" in run and about.get("state") == live.TRAINED), stored.silent_s)
        found = runs.figures(rows)
        results = card.get("results") if isinstance(card.get("results"), dict) else {}
        if results and results.get("best_lap_s"):
            found["best_lap"] = results["best_lap_s"]
        published = _epoch(card.get("published_at"))
        track = about.get("track") or card.get("track") or {}
        now = stored.now() if state == runs.RUNNING else None
        return {
            "run": run,
            "state": state,
            "track": track.get("name") if isinstance(track, dict) else None,
            "race_type": about.get("race_type") or "TIME_TRIAL",
            "algorithm": about.get("algorithm") or card.get("algorithm"),
            "started": about.get("started") or published,
            "ended": None if state == runs.RUNNING else published or about.get("ended"),
            "seconds_left": (now or {}).get("seconds_left"),
            "published": bool(card),
            **found,
        }

    def _card(self, run: str) -> dict[str, Any] | None:
        return live.read(self._bytes(run, CARD) or b"")

    def _bytes(self, run: str, path: str) -> bytes | None:
        try:
            return self.store.get_bytes(f"{prefix_of(run)}/{path}", MOST_CARD)
        except (NotFoundError, TooLargeError):
            return None


def _state(about: dict[str, Any], published: bool, silent_s: Callable[[], float | None]) -> str:
    """silent_s: how long nothing was heard of the training."""
    told = about.get("state")
    if told == live.TRAINING:
        silent = silent_s()
        return runs.RUNNING if silent is None or silent < live.SILENT_S else runs.STOPPED
    if published:
        return runs.FINISHED
    if told == live.TRAINED:
        return runs.RUNNING if time.time() - (about.get("ended") or 0) < PUBLISH_S else runs.STOPPED
    return runs.ENDED_BADLY if told == live.FAILED else runs.STOPPED


def _stages(about: dict[str, Any], entry: dict[str, Any]) -> list[dict[str, Any]]:
    """A bucket knows of the training and of the publication."""
    published, state = entry["published"], entry["state"]
    names = {live.TRAINING: "running", live.TRAINED: "succeeded", live.FAILED: "failed", live.STOPPED: "interrupted"}
    train = names.get(about.get("state", ""), "succeeded" if published else "pending")
    if train == "running" and state != runs.RUNNING:
        train = "interrupted"
    started, ended = about.get("started"), about.get("ended") or time.time()
    seconds = round(ended - started, 1) if isinstance(started, int | float) and train != "pending" else None
    return [
        {"name": "train", "state": train, "seconds": seconds},
        {"name": "publish", "state": "succeeded" if published else "pending", "seconds": None},
    ]


def _epoch(text: Any) -> float | None:
    try:
        return datetime.fromisoformat(text).timestamp()
    except (TypeError, ValueError):
        return None
