"""The runs of a folder."""

import fcntl
import json

import made
import pytest

from kuberacer.store.client import NotFoundError, ObjectStore
from kuberacer.store.server import SeaweedServer
from kuberacer.watch.local import LocalRuns
from kuberacer.watch.log_tail import LogTail


def test_a_run_that_has_ended(out):
    made.finished(out, "oval-1")
    source = LocalRuns(out)
    entry = source.entry("oval-1")
    told = {name: entry[name] for name in ("run", "state", "track", "race_type", "algorithm", "started", "ended")}
    assert told == {
        "run": "oval-1", "state": "finished", "track": "oval", "race_type": "TIME_TRIAL", "algorithm": "sac",
        "started": 1000.0, "ended": 2000.0,
    }  # fmt: skip
    assert (entry["iterations"], entry["env_steps"], entry["best_lap"]) == (3, 6144, 9.5)
    detail = source.detail("oval-1")
    assert detail["track_outline"]["name"] == "oval"
    assert detail["evaluation"] == {"trials": 3, "laps_completed": 2, "best_lap": 9.5, "rows": []}
    assert source.stages("oval-1") == [{"name": "train", "state": "succeeded", "seconds": 12.5}]
    assert {file.path for file in source.files("oval-1")} >= {"video.mp4", "run.json", "logs/train.log"}
    assert source.log("oval-1", LogTail())[0] == ["progress: one", "progress: two"]
    assert source.now("oval-1") is None


def test_the_newest_comes_first_and_latest_is_a_name(out):
    made.finished(out, "oval-1", started=10.0)
    made.finished(out, "oval-2", started=30.0)
    made.finished(out, "oval-3", started=20.0)
    (out / "latest").symlink_to("oval-2")
    (out / "elsewhere").mkdir()
    source = LocalRuns(out)
    assert source.names() == ["oval-2", "oval-3", "oval-1"]
    assert source.entry("latest")["run"] == "oval-2"
    for name in ("nothing", "elsewhere", "../out/oval-1"):
        with pytest.raises(NotFoundError):
            source.entry(name)


def test_a_killed_run_does_not_go_on(out):
    folder = made.finished(out, "oval-1", status="running", ended=None)
    source = LocalRuns(out)
    with (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert source.entry("oval-1")["state"] == "running"
    assert source.entry("oval-1")["state"] == "stopped"


def test_an_outline_of_one_of_our_tracks_where_nothing_else_tells(out):
    folder = made.finished(out, "oval-1", track="kidney")
    (folder / "about.json").unlink()
    found = LocalRuns(out).detail("oval-1")["track_outline"]
    assert found["name"] == "kidney"
    assert found["length"] > 10


@pytest.mark.parametrize("text", ["", "[]", "nonsense", '{"run": 1, "stages": 3, "parameters": 7}', '{"status": []}'])
def test_a_damaged_record_spoils_no_list(serve, out, text):
    made.finished(out, "oval-1")
    (made.finished(out, "oval-2") / "run.json").write_text(text)
    client = serve(LocalRuns(out))
    answer = client.ask("/api/runs")
    assert answer.status == 200
    assert "oval-1" in {entry["run"] for entry in answer.json()["runs"]}


def test_numbers_that_json_does_not_know_reach_no_page(serve, out):
    folder = made.finished(out, "oval-1")
    (folder / "history.jsonl").write_text('{"iteration": 1, "learning": {"loss": NaN}}\nnonsense\n[]\n{}\n')
    answer = serve(LocalRuns(out)).ask("/api/runs/oval-1")
    history = json.loads(answer.body, parse_constant=pytest.fail)["history"]
    assert history == {"columns": ["iteration", "learning.loss"], "rows": [[1, None]]}


def test_a_run_that_goes_on_is_read_from_its_own_store(out):
    folder = made.finished(out, "oval-1", status="running", ended=None)
    with SeaweedServer(folder / ".store") as server, (folder / ".lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        store = ObjectStore(server.settings)
        made.train(store, "oval-1", [made.row(i) for i in (1, 2, 3, 4, 5)])
        source = LocalRuns(out)
        entry = source.entry("oval-1")
        assert (entry["state"], entry["iterations"], entry["seconds_left"]) == ("running", 5, 30.0)
        assert source.now("oval-1")["cars"][0]["x"] == 1.0
        assert store.age("oval-1/live/watched") < 60
    assert LocalRuns(out).entry("oval-1")["iterations"] == 3  # of its folder, when its store is gone
    assert not (folder / ".store" / "address.json").exists()


def test_the_leaderboard(serve, out):
    for name, lap in (("oval-1", 9.5), ("oval-2", 8.5)):
        (made.finished(out, name) / "model_card.json").write_text(json.dumps(made.card(name, lap)))
    (board,) = serve(LocalRuns(out)).ask("/api/leaderboard").json()["boards"]
    assert board["name"] == "TIME_TRIAL on oval"
    assert [(row["rank"], row["run"], row["best_lap"]) for row in board["rows"]] == [
        (1, "oval-2", 8.5),
        (2, "oval-1", 9.5),
    ]
