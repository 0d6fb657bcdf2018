"""Retention: what a policy keeps, in folders and in a real bucket; nothing goes unless it is told to."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.retention import DAY_S, Candidate, Policy, best_runs, reasons
from kuberacer.run.leaderboard import prune_bucket
from kuberacer.run.prune import prune
from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore

NOW = 1e9
policies = st.builds(Policy, st.integers(0, 5), st.floats(0, 10), st.integers(0, 2), st.booleans())
candidates = st.builds(
    Candidate, st.text("abc", min_size=1, max_size=3), st.floats(NOW - 20 * DAY_S, NOW), st.integers(0, 9),
    st.booleans(), st.sampled_from(["", "place 1"]), st.booleans(),
)  # fmt: skip
runs_of = st.lists(candidates, max_size=8, unique_by=lambda run: run.name)


@given(runs_of, policies)
def test_a_run_goes_only_when_nothing_keeps_it(runs: list[Candidate], policy: Policy) -> None:
    kept = reasons(runs, policy, NOW)
    assert kept.keys() == {run.name for run in runs}
    for run in runs:
        newer = sum((other.changed, other.name) > (run.changed, run.name) for other in runs)
        young = NOW - run.changed < policy.days * DAY_S
        wanted = run.going or newer < policy.newest or young or bool(run.best) or (policy.published and run.published)
        assert bool(kept[run.name]) is wanted


@given(runs_of, policies)
def test_a_second_time_nothing_more_goes(runs: list[Candidate], policy: Policy) -> None:
    kept = reasons(runs, policy, NOW)
    again = reasons([run for run in runs if kept[run.name]], policy, NOW)
    assert all(again.values())


def test_the_best_of_each_race_and_leaderboard() -> None:
    entries = [
        {"race_type": "TIME_TRIAL", "track": "kidney", "leaderboard": board, "run": run}
        for run, board in [("a", "club"), ("b", ""), ("c", "club"), ("d", "other")]
    ]
    assert set(best_runs(entries, 1)) == {"a", "d"}
    assert set(best_runs(entries, 2)) == {"a", "b", "c", "d"}
    assert best_runs(entries, 0) == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [("KUBERACER_KEEP_NEWEST", "-1"), ("KUBERACER_KEEP_NEWEST", "1.5"), ("KUBERACER_KEEP_DAYS", "soon"),
     ("KUBERACER_KEEP_BEST", "nan"), ("KUBERACER_KEEP_PUBLISHED", "perhaps")],
)  # fmt: skip
def test_a_faulty_policy_is_told_by_its_variable(name: str, value: str) -> None:
    with pytest.raises(UserError, match=name):
        Policy.from_environment({name: value})


def test_the_default_policy_is_careful() -> None:
    assert Policy.from_environment({}) == Policy(newest=10, days=30.0, best=1, published=False)


def make_runs(out: Path, ages: dict[str, float]) -> None:
    for name, days in ages.items():
        (out / name).mkdir(parents=True)
        record = {"run": name, "parameters": {}, "remote": None, "store": "own", "status": "succeeded"}
        (out / name / "run.json").write_text(json.dumps(record))
        os.utime(out / name / "run.json", (time.time() - days * DAY_S,) * 2)


def card(name: str, best_lap_s: float) -> str:
    result = {
        "track": "kidney", "race_type": "TIME_TRIAL", "laps_completed": 1, "trials": 1, "best_lap_s": best_lap_s,
        "penalty_s": 0.0, "resets": 0, "progress": 100.0,
    }  # fmt: skip
    return json.dumps({"run": name, "evaluations": [result]})


def folders(out: Path) -> list[str]:
    return sorted(path.parent.name for path in out.glob("*/run.json"))


def test_folders_go_by_the_policy_and_only_when_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_runs(tmp_path, {"new": 0, "young": 3, "old": 40, "older": 50, "quick": 60, "slow": 61})
    (tmp_path / "quick" / "model_card.json").write_text(card("quick", 8.0))
    (tmp_path / "slow" / "model_card.json").write_text(card("slow", 9.0))
    left = json.loads((tmp_path / "older" / "run.json").read_text()) | {"status": "submitted"}
    (tmp_path / "older" / "run.json").write_text(json.dumps(left))
    os.utime(tmp_path / "older" / "run.json", (time.time() - 50 * DAY_S,) * 2)
    policy = Policy(newest=1, days=7, best=1)
    before = folders(tmp_path)
    prune(tmp_path, policy, sure=False)
    assert folders(tmp_path) == before
    said = capsys.readouterr().out
    assert "2 of 6 runs would go" in said
    assert "kept: place 1 in TIME_TRIAL on kidney" in said
    prune(tmp_path, policy, sure=True)
    assert folders(tmp_path) == ["new", "older", "quick", "young"]


def test_the_command_shows_first(tmp_path: Path) -> None:
    make_runs(tmp_path, {"new": 0, "old": 40})
    command = [sys.executable, "-m", "kuberacer.run.cli", "prune", "--newest", "1", "--out", str(tmp_path)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert "would go: YES=1 (--yes)" in said
    assert folders(tmp_path) == ["new", "old"]
    subprocess.run([*command, "--yes"], capture_output=True, check=True)
    assert folders(tmp_path) == ["new"]


def test_a_bucket_goes_by_the_policy_of_the_environment(
    settings: StoreSettings, store: ObjectStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Objects cannot be made older than they are: a policy that keeps nothing, and what wrote within a day."""
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    for name, value in {"NEWEST": "0", "DAYS": "0", "BEST": "0"}.items():
        monkeypatch.setenv(f"KUBERACER_KEEP_{name}", value)
    for key in ("one/checkpoints/00000001.json", "two/trials/a-0/checkpoints/00000003.json", "two/model_card.json"):
        store.put_bytes(key, b"{}")
    for key in ("inputs/x/track.npy", "holiday/photo.jpg", "argo/w/p/checkpoint.tgz", "leaderboards/all/x"):
        store.put_bytes(key, b"not a run's")
    before = sorted(store.list())
    lines = prune_bucket(sure=True)
    assert sorted(store.list()) == before
    assert [line.partition("/  ")[0] for line in lines if "kept: it is going on" in line] == [
        f"s3://{store.bucket}/{name}" for name in ("one", "two")
    ]
    monkeypatch.setenv("KUBERACER_KEEP_QUIET_HOURS", "0")
    assert "2 of 2 runs, 0.00 GiB, would go: --yes removes them" in prune_bucket(sure=False)
    assert sorted(store.list()) == before
    prune_bucket(sure=True)
    assert [key for key in store.list() if key.startswith(("one/", "two/"))] == []
    assert {"inputs/x/track.npy", "holiday/photo.jpg", "argo/w/p/checkpoint.tgz"} <= set(store.list())
