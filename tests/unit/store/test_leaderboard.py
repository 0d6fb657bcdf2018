"""The leaderboard over a bucket: from the model cards alone, whoever publishes at the same time."""

import html
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from kuberacer.report.leaderboard import Board, slug
from kuberacer.settings import StoreSettings
from kuberacer.stages.leaderboard import cards_of, update
from kuberacer.store.client import ObjectStore


def card(
    run: str, best: float | None, *, name: str = "club", racer: str = "Ada", track: str = "kidney", **more
) -> bytes:
    result = {
        "track": track, "race_type": "TIME_TRIAL", "laps_completed": 0 if best is None else 3, "trials": 3,
        "best_lap_s": best, "penalty_s": 0.0, "resets": 0, "progress": 80.0 if best is None else 100.0, **more,
    }  # fmt: skip
    board = {"name": name, "racer": racer, "type": "LEAGUE"}
    date = "2026-11-21T20:00:00+00:00"
    return json.dumps({"run": run, "published_at": date, "leaderboard": board, "evaluations": [result]}).encode()


def ranks(board: Board) -> dict[tuple[str, str], list[str]]:
    return {key: [entry.run for entry in entries] for key, entries in board.tables.items()}


def test_the_quickest_lap_leads_in_each_race_and_who_has_none_comes_last():
    cards = [
        card("slow", 20.0), card("never", None), card("further", None, progress=95.0), card("quick", 12.5),
        card("penalised", 20.0, penalty_s=5.0, resets=1), card("elsewhere", 9.0, track="pebble"),
        card("boxes", 30.0, race_type="OBJECT_AVOIDANCE"),
    ]  # fmt: skip
    assert ranks(Board.of(cards)) == {
        ("OBJECT_AVOIDANCE", "kidney"): ["boxes"],
        ("TIME_TRIAL", "kidney"): ["quick", "slow", "penalised", "further", "never"],
        ("TIME_TRIAL", "pebble"): ["elsewhere"],
    }


def test_a_name_chooses_its_entries_and_json_says_who_is_where():
    cards = [card("a", 20.0), card("b", 15.0), card("c", 10.0, name="other")]
    found = json.loads(Board.of(cards, "club").to_json())
    assert [(entry["rank"], entry["run"], entry["racer"]) for entry in found["entries"]] == [
        (1, "b", "Ada"),
        (2, "a", "Ada"),
    ]
    assert found["entries"][0]["date"] == "2026-11-21T20:00:00+00:00"


def test_cards_that_are_none_are_left_out_and_counted():
    bad = [b"", b"no JSON", b"[]", b"{}", b'{"run": 3}', card("x", -1.0), card("y", float("nan")), b"[" * 100_000]
    board = Board.of([*bad, card("good", 11.0)])
    assert ranks(board) == {("TIME_TRIAL", "kidney"): ["good"]}
    assert board.skipped == len(bad)


def test_a_card_from_before_there_were_races_counts_as_a_time_trial():
    old = {"run": "old", "track": {"name": "kidney"}, "results": {"laps_completed": 2, "trials": 3, "best_lap_s": 18.0}}
    (entry,) = Board.of([json.dumps(old).encode()]).tables["TIME_TRIAL", "kidney"]
    assert (entry.racer, entry.best_lap_s, entry.laps, entry.date) == ("old", 18.0, 2, "")


def test_the_page_is_whole_by_itself_and_shows_names_as_text():
    page = Board.of([card("r<1>", 11.25, racer="<script>alert(1)</script>"), card("r2", None)], "club").to_html()
    assert "<script" not in page
    assert html.escape("<script>alert(1)</script>") in page
    assert not re.search(r"(src|href)=['\"](?!data:)", page)
    assert "http" not in page
    for wanted in ("11.250 s", "80 % of the lap", "3 of 3", "2026-11-21 20:00:00", "Time trial"):
        assert wanted in page, wanted


@given(st.text(max_size=30), st.text(max_size=30))
def test_different_names_have_different_places(one: str, other: str):
    assert re.fullmatch(r"[A-Za-z0-9._%-]+", slug(one))
    assert slug(one) not in (".", "..")
    assert (slug(one) == slug(other)) == (one == other)


def test_publishers_at_once_lose_no_entry(store: ObjectStore):
    def publish(number: int) -> None:
        store.put_bytes(f"run-{number:02d}/model_card.json", card(f"run-{number:02d}", 10.0 + number))
        update(store, "", "club")

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(publish, range(12)))
    for name in ("all", "club"):
        found = json.loads(store.get_bytes(f"leaderboards/{name}/leaderboard.json"))["entries"]
        assert [entry["run"] for entry in found] == [f"run-{number:02d}" for number in range(12)]
        assert b"run-11" in store.get_bytes(f"leaderboards/{name}/leaderboard.html")


def test_what_lies_beside_the_runs_is_no_card(store: ObjectStore):
    store.put_bytes("lone/model_card.json", card("lone", 12.0))
    store.put_bytes("lone/objects/model_card.json", card("deeper", 1.0))
    store.put_bytes("half-a-run/model/model_1.pb", b"x")
    store.put_bytes("model_card.json", card("above", 1.0))
    update(store, "")
    assert ranks(Board.of(cards_of(store))) == {("TIME_TRIAL", "kidney"): ["lone"]}
    folders = list(store.folders())
    assert folders == sorted(folders)
    assert {"half-a-run", "leaderboards", "lone"} <= set(folders), "this server still lists folders that were emptied"
    assert list(store.folders("lone/")) == ["lone/objects"]


def leaderboard(*more: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kuberacer.stages.leaderboard", *more]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)


def test_the_stage_ranks_a_bucket(settings: StoreSettings, store: ObjectStore, tmp_path: Path):
    environment: dict[str, Any] = {**settings.environment(), "PYTHONPATH": ":".join(sys.path)}
    store.put_bytes("a/model_card.json", card("a", 20.0))
    store.put_bytes("b/model_card.json", card("b", 15.0))
    done = leaderboard("--name", "club", "--output", str(tmp_path), **environment)
    assert done.returncode == 0, done.stderr
    assert re.search(r"1\. 15.000 s .*\n.*2\. 20.000 s", done.stdout)
    assert (tmp_path / "leaderboard.json").read_bytes() == store.get_bytes("leaderboards/club/leaderboard.json")
    assert "20.000 s" in (tmp_path / "leaderboard.html").read_text()


def test_the_stage_ranks_a_folder_of_runs(tmp_path: Path):
    for run, best in (("a", 20.0), ("b", None)):
        (tmp_path / run).mkdir()
        (tmp_path / run / "model_card.json").write_bytes(card(run, best))
    (tmp_path / "latest").symlink_to(tmp_path / "b")
    done = leaderboard("--runs", str(tmp_path), "--output", str(tmp_path / "board"), PYTHONPATH=":".join(sys.path))
    assert done.returncode == 0, done.stderr
    entries = json.loads((tmp_path / "board" / "leaderboard.json").read_text())["entries"]
    assert [entry["run"] for entry in entries] == ["a", "b"]


def test_an_empty_bucket_has_an_empty_leaderboard(store: ObjectStore):
    (board,) = update(store, "nobody")
    assert board.tables == {}
    assert "nothing was published here yet" in board.to_html()
