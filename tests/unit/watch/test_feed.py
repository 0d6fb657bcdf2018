"""What is pushed: news as it comes, nothing twice, all of it to a page that comes back, and a store that went away."""

import time
from contextlib import ExitStack

import made
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.store.client import AwayError
from kuberacer.watch.bucket import BucketRuns
from kuberacer.watch.feed import changed
from kuberacer.watch.log_tail import LogTail, new_part


def until(events, name, found=lambda data: True):
    """The next event of this name for which `found` holds."""
    for event in events:
        if event["event"] == name and found(event["data"]):
            return event
    raise AssertionError(f"the stream ended without {name}")


def test_news_of_a_run_that_goes_on(serve, store):
    rows = [made.row(i) for i in (1, 2)]
    made.train(store, "oval-1", rows)
    store.put_bytes("oval-1/logs/train.log", b"one\ntwo\n")
    with serve(BucketRuns(store)).events("oval-1") as events:
        state = until(events, "state")["data"]
        assert (state["state"], state["stages"][0]["state"]) == ("running", "running")
        first = until(events, "history")
        assert (first["id"], [row[0] for row in first["data"]["rows"]]) == ("2", [1, 2])
        assert until(events, "live")["data"]["cars"][0]["x"] == 1.0
        assert until(events, "camera")["data"]["png"].startswith("iVBOR")
        assert until(events, "log")["data"]["lines"] == ["one", "two"]
        assert store.age("oval-1/live/watched") is not None
        made.keep(store, "oval-1", [*rows, made.row(3)])
        made.moment(store, "oval-1", 3, cars=[{"x": 5.0}])
        store.put_bytes("oval-1/logs/train.log", b"one\ntwo\nthree\n")
        assert until(events, "live")["data"]["cars"] == [{"x": 5.0}]
        fresh = until(events, "history")
        assert (fresh["id"], [row[0] for row in fresh["data"]["rows"]]) == ("3", [3])
        assert until(events, "log")["data"]["lines"] == ["three"]


def test_news_of_all_runs_come_when_something_of_them_changed(serve, store):
    made.train(store, "oval-1", [made.row(1)])
    with serve(BucketRuns(store)).events("") as events:
        assert [run["iterations"] for run in until(events, "runs")["data"]["runs"]] == [1]
        made.keep(store, "oval-1", [made.row(1), made.row(2)])
        assert [run["iterations"] for run in until(events, "runs")["data"]["runs"]] == [2]
        made.train(store, "oval-2", [made.row(1)])
        until(events, "runs", lambda data: {run["run"] for run in data["runs"]} == {"oval-1", "oval-2"})


def test_a_page_that_comes_back_gets_what_it_lacks(serve, store):
    made.train(store, "oval-1", [made.row(i) for i in range(1, 31)])
    client = serve(BucketRuns(store))
    for last, first in (("20", 13), ("30", 23), ("0", 1), ("99", 1), ("nonsense", 1)):
        with client.events("oval-1", last_event_id=last) as events:
            event = until(events, "history")
            assert event["id"] == "30"
            assert event["data"]["rows"][0][0] == first


def test_a_store_that_is_away_is_said_and_comes_back(serve, store):
    class Flaky(BucketRuns):
        away = False

        def now(self, run):
            if self.away:
                raise AwayError("the store is away", "wait")
            return super().now(run)

    made.train(store, "oval-1", [made.row(1)])
    source = Flaky(store)
    with serve(source).events("oval-1") as events:
        until(events, "history")
        source.away = True
        assert until(events, "away")["data"] == {"cause": "the store is away", "remedy": "wait"}
        source.away = False
        assert until(events, "away")["data"] is None
        made.keep(store, "oval-1", [made.row(1), made.row(2)])
        made.moment(store, "oval-1", 2)
        assert until(events, "history")["data"]["rows"][0][0] == 2


def test_damaged_files_of_a_run_are_said(serve, store):
    made.train(store, "oval-1", [made.row(1, lap_seconds="soon", lap_completed=True), made.row(2, steps=[1])])
    store.put_bytes("oval-1/live/now.json", b'{"cars": 3, "iteration": [], "time": NaN}')
    client = serve(BucketRuns(store))
    assert client.ask("/api/runs").status == 200
    with client.events("oval-1") as events:
        assert next(events)["event"] in ("away", "state", "history")


def test_nobody_listens_and_nothing_is_asked(serve, store):
    asked = []

    class Counting(BucketRuns):
        def now(self, run):
            asked.append(time.monotonic())
            return super().now(run)

    made.train(store, "oval-1", [made.row(1)])
    client = serve(Counting(store))
    with client.events("oval-1") as one, client.events("oval-1") as two:
        until(one, "history")
        until(two, "history")
        before = len(asked)
        until(two, "live", lambda data: made.moment(store, "oval-1", 1) or len(asked) >= before + 3)
    took = asked[-1] - asked[before]
    assert len(asked) - before <= took / 0.9 + 2  # one reader for both
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        seen = len(asked)
        time.sleep(2.5)
        if len(asked) == seen:
            return
    raise AssertionError("it still asks")


def test_rows_that_came_later_are_sent_again():
    before = [made.row(1), made.row(2)]
    after = [made.row(1), made.row(2, lap_seconds=3.0), made.row(3)]
    assert changed(before, after) == after[1:]


@given(st.lists(st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=20), max_size=30), st.data())
def test_every_line_of_a_log_that_grows_comes_once(lines, data):
    text = "".join(line + "\n" for line in lines).encode()
    cuts = [*sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5))), len(text)]
    tail, found = LogTail(), []
    for cut in cuts:
        new, tail = new_part(tail, "log", cut, lambda first, last: text[first : last + 1])
        found += new
    assert found == lines


def test_control_characters_of_a_log_stay_away():
    text = b"\x1b[31mred\x1b[0m\x07 line\n"
    assert new_part(LogTail(), "log", len(text), lambda first, last: text[first : last + 1])[0] == ["red line"]


@pytest.mark.parametrize("pages", [3])
def test_more_pages_than_it_serves(serve, store, monkeypatch, pages):
    monkeypatch.setattr("kuberacer.watch.pages.MOST_PAGES", pages)
    made.train(store, "oval-1", [made.row(1)])
    client = serve(BucketRuns(store))
    with ExitStack() as stack:
        for _ in range(pages):
            until(stack.enter_context(client.events("oval-1")), "history")
        assert client.ask("/api/runs/oval-1/events").status == 503
