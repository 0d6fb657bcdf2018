"""Tells those who watch a training how it is at this moment (kuberacer.formats.live), from what is at hand anyway.

A thread sends it. The training itself copies some rows once a second, and only while somebody watches.
"""

import base64
import contextlib
import io
import time
from collections.abc import Callable
from threading import Event, Lock, Thread
from types import TracebackType
from typing import Any, Self

import numpy as np
from PIL import Image

from kuberacer.errors import UserError
from kuberacer.formats import live
from kuberacer.formats.live import BEAT_S, EVERY_S, WATCHED_S
from kuberacer.rollout.broker import Seen
from kuberacer.rollout.fragment import Fragment
from kuberacer.sim.episode import STATUS_NAMES
from kuberacer.store.client import ObjectStore

LOOK_S = 2.0  # between two looks for watchers
TRAIL = 45  # steps that a car's way shows: three seconds
MOST_CARS, MOST_POINTS = 256, 4096  # of all cars' ways
FORGOTTEN_S = 30.0  # after which a silent worker's cars are gone from the track
LEAVE_S = 3.0


class Live:
    """Use as a context manager around a training. A store that is away costs nothing but what is told.

    wanted: whether somebody waits for the next step's cars; look at it before `see`.
    """

    def __init__(self, store: ObjectStore, run: str, about: dict[str, Any], seconds_left: float | None):
        """about: what is trained; seconds_left: of the whole training, None where no clock ends it."""
        # Of its own: what is late by seconds is not worth sending again.
        self.store = ObjectStore(store.settings, timeout_s=5, attempts=1)
        self.run, self.about = run, about
        self.workers: Callable[[], list[Seen]] | None = None
        self.wanted = self.watched = False
        self.doing = "begins"
        self._turn: dict[str, Any] = {"iteration": 0, "steps_per_second": None}
        self._ends = None if seconds_left is None else time.monotonic() + seconds_left
        self._seen: dict[str, tuple[float, np.ndarray]] = {}
        self._frame: np.ndarray | None = None
        self._lock, self._stop = Lock(), Event()
        self._thread = Thread(target=self._send_often, name="live", daemon=True)

    def __enter__(self) -> Self:
        self.about |= {"state": live.TRAINING, "started": time.time(), "ended": None, "error": None}
        with contextlib.suppress(UserError):
            earlier = live.read(self.store.get_bytes(live.about_key(self.run), live.MOST_BYTES))
            self.about["started"] = (earlier or {}).get("started") or self.about["started"]
        self._tell_about()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join(LEAVE_S)
        self.about |= {"ended": time.time(), "state": live.TRAINED if kind is None else live.FAILED}
        if isinstance(error, UserError):
            self.about["error"] = {"cause": error.cause, "remedy": error.remedy}
        elif isinstance(error, KeyboardInterrupt):
            self.about["state"] = live.STOPPED
        elif error is not None:
            self.about["error"] = {"cause": f"{type(error).__name__}: {error}"[:300], "remedy": "see the log"}
        self._tell_about()

    def turned(self, iteration: int, steps_per_second: float, seconds_left: float | None) -> None:
        """An iteration has ended."""
        self._turn = {"iteration": iteration, "steps_per_second": steps_per_second}
        self._ends = None if seconds_left is None else time.monotonic() + seconds_left

    def see(self, rows: np.ndarray, frame: np.ndarray, worker: str = "") -> None:
        """rows (T, cars): TraceRecorder.FIELDS, the newest last; frame (views, 120, 160): what a car saw then.

        Both are copied."""
        rows, frame = rows[-TRAIL:].copy(), frame.copy()
        with self._lock:
            self._seen[worker] = (time.monotonic(), rows)
            if worker == min(self._seen):
                self._frame = frame
        self.wanted = False

    def see_fragment(self, fragment: Fragment) -> None:
        """What a worker has played: of every worker the newest is kept, while somebody watches."""
        if self.watched:
            self.see(fragment.trace, fragment.frames[-2, 0], fragment.tag.worker)

    def snapshot(self) -> dict[str, Any]:
        """What now.json says: the numbers; while somebody watches the rest, too."""
        left = None if self._ends is None else round(max(0.0, self._ends - time.monotonic()), 1)
        told = {"time": time.time(), "doing": self.doing, "seconds_left": left, **self._turn}
        if not self.watched:
            return told
        with self._lock:
            oldest = time.monotonic() - FORGOTTEN_S
            if self.workers is not None:
                self._seen = {worker: seen for worker, seen in self._seen.items() if seen[0] > oldest}
            seen = [rows for _, (_, rows) in sorted(self._seen.items())]
            frame = self._frame
        told |= {"cars": cars_of(seen), "workers": self._workers()}
        if frame is not None:
            told["camera"] = {"png": base64.b64encode(png(frame)).decode()}
        return told

    def _workers(self) -> list[dict[str, Any]] | None:
        if self.workers is None:
            return None
        try:
            seen = self.workers()
        except UserError:
            return None
        now = time.time()
        return [
            {"worker": each.worker, "seconds_ago": round(max(0.0, now - each.at), 1), "steps": each.steps,
             "doing": each.doing}
            for each in sorted(seen, key=lambda each: each.worker)
        ]  # fmt: skip

    def _send_often(self) -> None:
        look = beat = 0.0
        while not self._stop.wait(EVERY_S):
            now = time.monotonic()
            with contextlib.suppress(UserError):
                if now >= look:
                    look = now + LOOK_S
                    age = self.store.age(live.watched_key(self.run))
                    self.watched = age is not None and age < WATCHED_S
                if self.watched or now >= beat:
                    beat = now + BEAT_S
                    self.store.put_bytes(
                        live.now_key(self.run), live.to_text(self.snapshot()).encode(), "application/json"
                    )
                self.wanted = self.watched

    def _tell_about(self) -> None:
        with contextlib.suppress(UserError):
            self.store.put_bytes(live.about_key(self.run), live.to_text(self.about).encode(), "application/json")


def cars_of(seen: list[np.ndarray]) -> list[dict[str, Any]]:
    """Cars as now.json has them, of rows (T, cars) of TraceRecorder.FIELDS; `trail`: the way of the same episode."""
    number = sum(rows.shape[1] for rows in seen)
    steps = min(TRAIL, MOST_POINTS // max(1, min(number, MOST_CARS)))
    told: list[dict[str, Any]] = []
    for rows in seen:
        for column in rows.T[: MOST_CARS - len(told)]:
            car, way = column[-1], column[-steps:]
            way = way[way["episode"] == car["episode"]]
            told.append(
                {
                    "x": round(float(car["x"]), 3), "y": round(float(car["y"]), 3),
                    "heading": round(float(car["heading"]), 1), "progress": round(float(car["progress"]), 1),
                    "speed": round(float(car["speed"]), 2), "steering": round(float(car["steering"]), 1),
                    "status": STATUS_NAMES[car["status"]],
                    "trail": np.stack([way["x"], way["y"]], axis=1).round(2).tolist(),
                }
            )  # fmt: skip
    return told


def png(frame: np.ndarray) -> bytes:
    """A camera's frame (views, 120, 160) uint8; two views side by side."""
    file = io.BytesIO()
    Image.fromarray(np.concatenate(list(frame), axis=1)).save(file, "PNG", compress_level=1)
    return file.getvalue()
