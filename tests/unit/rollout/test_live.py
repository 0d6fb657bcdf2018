"""What a training tells those who watch it: nothing but a sign of life while nobody does."""

import base64
import contextlib
import io
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import redis
from PIL import Image

from kuberacer.errors import UserError
from kuberacer.formats import live
from kuberacer.rollout.broker import TrainerBroker, WorkerBroker
from kuberacer.rollout.fragment import Tag
from kuberacer.rollout.live import FORGOTTEN_S, MOST_CARS, MOST_POINTS, Live, cars_of, png
from kuberacer.rollout.redis_server import RedisServer
from kuberacer.rollout.trace import TraceRecorder
from kuberacer.store.client import ObjectStore
from tests.seaweed import seaweed
from tests.unit.rollout.fragments import made_up

RUN = "oval-1"


def told(store: ObjectStore, key: str) -> dict[str, Any]:
    return json.loads(store.get_bytes(key))


def eventually(found: Callable[[], Any]) -> Any:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if value := found():
            return value
        time.sleep(0.05)
    raise AssertionError("it does not come")


def rows(steps: int = 3, cars: int = 2) -> np.ndarray:
    made = np.zeros((steps, cars), TraceRecorder.FIELDS)
    made["episode"], made["x"] = np.arange(cars), np.arange(steps)[:, None]
    return made


def test_who_watches_gets_cars_and_camera_and_nobody_else_pays(store):
    frame = np.arange(2 * 120 * 160, dtype=np.uint32).astype(np.uint8).reshape(2, 120, 160)
    with Live(store, RUN, {"run": RUN}, 60.0) as shown:
        eventually(lambda: store.exists(live.now_key(RUN)))
        first = told(store, live.now_key(RUN))
        assert "cars" not in first
        assert 0 < first["seconds_left"] <= 60
        assert not shown.wanted
        store.put_bytes(live.watched_key(RUN), b"")
        eventually(lambda: shown.wanted)
        shown.doing = "drives"
        shown.turned(4, 123.0, 30.0)
        shown.see(rows(), frame)
        assert not shown.wanted
        now = eventually(lambda: (found := told(store, live.now_key(RUN))).get("camera") and found)
        assert (now["iteration"], now["steps_per_second"], now["doing"]) == (4, 123.0, "drives")
        assert [car["x"] for car in now["cars"]] == [2.0, 2.0]
        assert now["cars"][0]["trail"] == [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0]]
        seen = np.asarray(Image.open(io.BytesIO(base64.b64decode(now["camera"]["png"]))))
        assert (seen == np.concatenate(list(frame), axis=1)).all()


def test_a_watcher_that_left_is_forgotten(store, monkeypatch):
    monkeypatch.setattr("kuberacer.rollout.live.WATCHED_S", 3.0)
    with Live(store, RUN, {"run": RUN}, None) as shown:
        eventually(lambda: store.put_bytes(live.watched_key(RUN), b"") or shown.watched)
        eventually(lambda: not shown.watched)


@pytest.mark.parametrize(
    ("ended", "state", "cause"),
    [
        (None, live.TRAINED, None), (KeyboardInterrupt(), live.STOPPED, None),
        (UserError("it broke", "mend it"), live.FAILED, "it broke"),
        (ValueError("odd"), live.FAILED, "ValueError: odd"),
    ],
)  # fmt: skip
def test_about_says_how_it_ended(store, ended, state, cause):
    expected = contextlib.nullcontext() if ended is None else pytest.raises(type(ended))
    with expected, Live(store, RUN, {"run": RUN, "seed": 3}, None):
        assert told(store, live.about_key(RUN))["state"] == live.TRAINING
        if ended is not None:
            raise ended
    about = told(store, live.about_key(RUN))
    assert (about["state"], about["seed"], (about["error"] or {}).get("cause")) == (state, 3, cause)
    assert about["ended"] >= about["started"]


def test_a_resumed_training_keeps_its_beginning(store):
    with Live(store, RUN, {"run": RUN}, None):
        pass
    began = told(store, live.about_key(RUN))["started"]
    with Live(store, RUN, {"run": RUN}, None):
        assert told(store, live.about_key(RUN))["started"] == began


def test_a_store_that_is_away_is_no_fault_of_the_training(tmp_path: Path):
    with seaweed(tmp_path) as settings:
        gone = ObjectStore(settings)
    with Live(gone, RUN, {"run": RUN}, None) as shown:
        shown.see(rows(), np.zeros((1, 120, 160), np.uint8))
        time.sleep(1.5)
        assert not shown.wanted


def test_workers_are_relayed_from_redis_as_they_are(store):
    with RedisServer() as server:
        worker = WorkerBroker(server.address, RUN, "worker-1")
        worker.look(640, "plays")
        heard = TrainerBroker(server.address, RUN, patience_s=1.0)
        shown = Live(store, RUN, {"run": RUN}, None)
        shown.workers, shown.watched = heard.workers, True
        shown.see_fragment(made_up(tag=Tag("s", "worker-1", 0, 0), cars=2))
        shown.see_fragment(made_up(tag=Tag("s", "worker-2", 0, 0), cars=3))
        now = shown.snapshot()
        assert len(now["cars"]) == 5
        (said,) = now["workers"]
        assert (said["worker"], said["steps"], said["doing"]) == ("worker-1", 640, "plays")
        assert said["seconds_ago"] < 60
        shown._seen = {name: (at - FORGOTTEN_S, seen) for name, (at, seen) in shown._seen.items()}
        assert shown.snapshot()["cars"] == []
        worker.close()
        heard.close()
    away = TrainerBroker(server.address, RUN, patience_s=0.1)
    shown.workers = away.workers
    assert shown.snapshot()["workers"] is None
    with pytest.raises(redis.ConnectionError):
        away.redis.ping()


def test_a_fragment_costs_nothing_while_nobody_watches(store):
    shown = Live(store, RUN, {"run": RUN}, None)
    shown.see_fragment(made_up())
    assert shown._seen == {}


def test_however_many_cars_the_message_stays_small():
    found = cars_of([rows(60, 40) for _ in range(10)])
    assert len(found) == MOST_CARS
    assert sum(len(car["trail"]) for car in found) <= MOST_POINTS
    assert len(live.to_text({"cars": found})) < 200_000


def test_a_way_ends_where_its_episode_began():
    made = rows(5, 1)
    made["episode"][:3] = 7
    assert cars_of([made])[0]["trail"] == [[3.0, 0.0], [4.0, 0.0]]


def test_a_picture_is_a_png():
    assert png(np.zeros((1, 120, 160), np.uint8)).startswith(b"\x89PNG")
