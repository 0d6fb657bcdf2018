"""The runs of a bucket."""

import json
import time

import made
import pytest

from kuberacer.formats import live
from kuberacer.store.client import NotFoundError
from kuberacer.watch import bucket
from kuberacer.watch.bucket import BucketRuns


def about(store, run, **more):
    store.put_bytes(live.about_key(run), live.to_text({"run": run, "started": 1.0, **more}).encode())


def test_runs_by_their_state(store):
    made.train(store, "goes-on", [made.row(1)])
    made.train(store, "published", [made.row(1), made.row(2)], live.TRAINED)
    made.publish(store, "published", 9.5)
    made.keep(store, "failed", [made.row(1)])
    about(store, "failed", state=live.FAILED, error={"cause": "it broke", "remedy": "mend it"})
    about(store, "stopped", state=live.STOPPED)
    about(store, "evaluates", state=live.TRAINED, ended=time.time())
    about(store, "never-published", state=live.TRAINED, ended=time.time() - 2 * bucket.PUBLISH_S)
    store.put_bytes("inputs/abc/track.npy", b"x")
    store.put_bytes("something-else/file", b"x")
    source = BucketRuns(store)
    states = {name: source.entry(name)["state"] for name in source.names()}
    assert states == {
        "goes-on": "running", "published": "finished", "failed": "failed", "stopped": "stopped",
        "evaluates": "running", "never-published": "stopped",
    }  # fmt: skip
    assert source.detail("failed")["error"] == {"cause": "it broke", "remedy": "mend it"}
    assert source.entry("published")["best_lap"] == 9.5
    assert source.detail("published")["evaluation"]["laps_completed"] == 3
    assert source.entry("latest")["run"] == "published"
    with pytest.raises(NotFoundError):
        source.entry("something-else")


def test_a_training_that_is_silent_has_stopped(store, monkeypatch):
    made.train(store, "oval-1", [made.row(1)])
    assert BucketRuns(store).entry("oval-1")["state"] == "running"
    monkeypatch.setattr(live, "SILENT_S", -1.0)
    assert BucketRuns(store).entry("oval-1")["state"] == "stopped"


def test_the_trials_of_a_sweep_are_runs(store):
    made.train(store, "sweep-1/trials/default-0", [made.row(1)], live.TRAINED)
    source = BucketRuns(store)
    assert source.names() == ["sweep-1~default-0"]
    assert source.entry("sweep-1~default-0")["state"] == "finished"


def test_the_files_of_a_run_are_those_that_a_person_wants(store):
    made.train(store, "oval-1", [made.row(1)])
    made.publish(store, "oval-1", 9.5)
    assert [file.path for file in BucketRuns(store).files("oval-1")] == ["model_card.json", "report.html"]


@pytest.mark.parametrize("text", [b"", b"[]", b"nonsense", b'{"results": 3, "track": [], "published_at": 7}'])
def test_a_damaged_card_spoils_no_list(serve, store, text):
    made.train(store, "oval-1", [made.row(1)], live.TRAINED)
    store.put_bytes("oval-1/model_card.json", text)
    client = serve(BucketRuns(store))
    assert [entry["run"] for entry in client.ask("/api/runs").json()["runs"]] == ["oval-1"]
    assert client.ask("/api/runs/oval-1").status == 200
    assert client.ask("/api/leaderboard").json()["boards"] == []


def test_an_object_that_is_too_large_is_not_read(store, monkeypatch):
    monkeypatch.setattr(bucket, "MOST_CARD", 100)
    store.put_bytes("oval-1/model_card.json", json.dumps(made.card("oval-1", 9.5)).encode())
    assert list(BucketRuns(store).cards()) == [b""]
