"""Removing runs: all of one and nothing of another, in a real store and real folders."""

import fcntl
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kuberacer.errors import UserError
from kuberacer.run.clean import clean
from kuberacer.run.remote.clean import _own_steps
from kuberacer.run.spec import read_pipeline
from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore

NAMES = ["kidney-1", "kidney-10", "kidney", "kidney-1-2"]  # each begins as another does
CARD = {
    "track": "kidney", "race_type": "TIME_TRIAL", "laps_completed": 1, "trials": 1, "best_lap_s": 9.0,
    "penalty_s": 0.0, "resets": 0, "progress": 100.0,
}  # fmt: skip


@pytest.fixture
def environment(settings: StoreSettings, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in settings.environment().items():
        monkeypatch.setenv(name, value)
    return settings.environment()


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Runs of which each has a folder."""
    for name in NAMES:
        folder = make_run(tmp_path, name)
        (folder / "logs").mkdir()
        (folder / "logs" / "train.log").write_text("x" * 5000)
    (tmp_path / ".cache" / "tasks" / "remembered").mkdir(parents=True)
    (tmp_path / "latest").symlink_to("kidney-1")
    return tmp_path


def make_run(out: Path, name: str, **more: object) -> Path:
    (out / name).mkdir()
    record = {"run": name, "parameters": {}, "remote": None, "pipeline": "race", **more}
    (out / name / "run.json").write_text(json.dumps(record))
    return out / name


def fill(store: ObjectStore) -> None:
    for name in NAMES:
        store.put_bytes(f"{name}/checkpoints/00000001.json", b"{}")
        store.put_bytes(f"{name}/objects/{'a' * 64}", b"x" * 3000)
    store.put_bytes("inputs/abc/track.npy", b"shared")
    store.put_bytes("kidney-1.txt", b"nobody's")


def test_a_run_goes_and_its_namesakes_stay(
    out: Path, store: ObjectStore, environment: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    fill(store)
    clean(out, "kidney-1", sure=True)
    assert sorted(path.name for path in out.iterdir() if path.name[0] == "k") == sorted(set(NAMES) - {"kidney-1"})
    kept = [f"{name}/{key}" for name in NAMES for key in ("checkpoints/00000001.json", "objects/" + "a" * 64)]
    wanted = [key for key in kept if not key.startswith("kidney-1/")] + ["inputs/abc/track.npy", "kidney-1.txt"]
    assert sorted(store.list()) == sorted(wanted)
    assert (out / ".cache" / "tasks" / "remembered").is_dir()
    assert (out / "latest").resolve().name in NAMES
    said = capsys.readouterr().out
    assert f"s3://{store.bucket}/kidney-1/: 2.9 KiB in 2 objects" in said
    assert f"removed {out / 'kidney-1'}: " in said
    assert "remains: what runs share" in said
    with pytest.raises(UserError, match="there is no run kidney-1"):
        clean(out, "kidney-1", sure=True)


def test_a_run_with_a_store_of_its_own_touches_no_other(
    out: Path, store: ObjectStore, environment: dict[str, str]
) -> None:
    fill(store)
    make_run(out, "mine", store="own")
    store.put_bytes("mine/x", b"of another machine's run")
    clean(out, "mine", sure=True)
    assert not (out / "mine").exists()
    assert store.exists("mine/x")


def test_objects_in_a_store_that_is_not_named_now_are_told_of(out: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_run(out, "away", store="https://elsewhere/bucket")
    clean(out, "away", sure=True)
    assert "remains: its objects https://elsewhere/bucket/away/" in capsys.readouterr().out


def test_a_run_without_a_folder_is_removed_from_the_store(
    out: Path, store: ObjectStore, environment: dict[str, str]
) -> None:
    store.put_bytes("elsewhere-1/checkpoints/00000001.json", b"{}")
    clean(out, "elsewhere-1", sure=True)
    assert not list(store.list("elsewhere-1/"))


def test_the_leaderboards_forget_it(out: Path, store: ObjectStore, environment: dict[str, str]) -> None:
    for name in NAMES:
        card = {"run": name, "evaluations": [CARD], "leaderboard": {"name": "club", "racer": name}}
        store.put_bytes(f"{name}/model_card.json", json.dumps(card).encode())
    for board, entries in {"all": NAMES, "club": NAMES, "empty": ["kidney"]}.items():
        text = {"leaderboard": "" if board == "all" else board, "entries": [{"run": name} for name in entries]}
        store.put_bytes(f"leaderboards/{board}/leaderboard.json", json.dumps(text).encode())
    clean(out, "kidney-1", sure=True)
    for board in ("all", "club"):
        entries = json.loads(store.get_bytes(f"leaderboards/{board}/leaderboard.json"))["entries"]
        assert sorted(entry["run"] for entry in entries) == sorted(set(NAMES) - {"kidney-1"})
    assert json.loads(store.get_bytes("leaderboards/empty/leaderboard.json"))["entries"] == [{"run": "kidney"}]


@pytest.mark.parametrize("name", ["", ".", "..", ".cache", "a/b", "/etc", "inputs", "leaderboards", "argo", "-x"])
def test_what_is_no_name_of_a_run_is_refused(name: str, out: Path) -> None:
    with pytest.raises(UserError, match="is no name of a run"):
        clean(out, name, sure=True)


def test_a_folder_that_is_no_run_is_refused(out: Path) -> None:
    (out / "holiday").mkdir()
    (out / "holiday" / "photo.jpg").write_text("x")
    with pytest.raises(UserError, match="there is no run holiday"):
        clean(out, "holiday", sure=True)
    assert (out / "holiday" / "photo.jpg").exists()


def test_a_run_whose_cluster_is_away_stays_and_says_what_to_do(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(out / "none"))
    make_run(out, "far", remote={"backend": "argo", "namespace": "kuberacer", "id": "far-x7"})
    with pytest.raises(UserError, match="no Kubernetes cluster") as caught:
        clean(out, "far", sure=True)
    assert f"rm -r {out / 'far'}" in caught.value.remedy
    assert (out / "far" / "run.json").exists()


def test_only_steps_that_know_the_run_have_artifacts_of_its_own() -> None:
    golden = Path(__file__).parents[2] / "golden"
    of = {name: _own_steps(read_pipeline((golden / f"{name}.yaml").read_text())) for name in ("race", "sweep")}
    assert of["race"] == {"build-sim-image", "train", "evaluate", "publish"}
    assert "train" in of["sweep"]
    assert "validate-reward" not in of["sweep"]


def kuberacer_clean(out: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "kuberacer.run.cli", "clean", *arguments, "--out", str(out)]


def test_without_a_terminal_nothing_goes_unasked(out: Path) -> None:
    said = subprocess.run(kuberacer_clean(out, "kidney"), capture_output=True, text=True, stdin=subprocess.DEVNULL)
    assert said.returncode == 1
    assert "of the run kidney goes:" in said.stdout
    assert said.stderr.splitlines()[0] == "error: nobody can be asked: this is no terminal"
    assert "YES=1" in said.stderr
    assert (out / "kidney" / "run.json").exists()


@pytest.mark.parametrize(("answer", "gone"), [(b"n\n", False), (b"\n", False), (b"y\n", True)])
def test_on_a_terminal_it_asks(answer: bytes, gone: bool, out: Path) -> None:
    ours, theirs = pty.openpty()
    asked = subprocess.Popen(kuberacer_clean(out, "kidney"), stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    os.write(ours, answer)
    asked.wait(60)
    os.close(ours)
    assert (out / "kidney").exists() is not gone


def test_a_second_call_finishes_what_was_interrupted(out: Path) -> None:
    folder = out / "kidney"
    for number in range(20000):
        (folder / "logs" / str(number)).touch()
    first = subprocess.Popen(kuberacer_clean(out, "kidney", "--yes"), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    until = time.monotonic() + 60
    while len(os.listdir(folder / "logs")) >= 20000:
        assert time.monotonic() < until
    first.send_signal(signal.SIGINT)
    _, errors = first.communicate(timeout=60)
    assert (first.returncode, errors.splitlines()[0]) == (128 + signal.SIGINT, b"error: interrupted")
    assert (folder / "run.json").exists()
    clean(out, "kidney", sure=True)
    assert not folder.exists()


def test_what_a_call_left_that_was_killed_at_its_very_end_goes(out: Path) -> None:
    (out / "kidney" / "run.json").unlink()
    (out / "kidney" / "logs" / "train.log").unlink()
    (out / "kidney" / "logs").rmdir()
    clean(out, "kidney", sure=True)
    assert not (out / "kidney").exists()


def test_a_run_that_is_going_on_is_refused_and_ended_when_told(out: Path) -> None:
    """A process that holds the run's lock as the command does, and ends as it does when it is told."""
    hold = """
import signal, sys, time
from pathlib import Path
from kuberacer.run.race import _locked
with _locked(Path(sys.argv[1])):
    signal.signal(signal.SIGTERM, lambda *of: sys.exit(143))
    print("held", flush=True)
    time.sleep(100)
"""
    holder = subprocess.Popen([sys.executable, "-c", hold, str(out / "kidney")], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    holder.stdout.readline()
    try:
        with pytest.raises(UserError, match="the run kidney is going on"):
            clean(out, "kidney", sure=True)
        assert (out / "kidney" / "logs").exists()
        clean(out, "kidney", sure=True, stop=True)
        assert holder.wait(10) == 143
        assert not (out / "kidney").exists()
    finally:
        holder.kill()
        holder.wait()


def test_the_lock_is_held_while_it_is_removed(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import kuberacer.run.clean as module

    remove, held = module._remove, []

    def watched(entry: Path) -> None:
        with (out / "kidney" / ".lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                held.append(False)
            except BlockingIOError:
                held.append(True)
        remove(entry)

    monkeypatch.setattr(module, "_remove", lambda entry: watched(entry) if entry.name == "logs" else remove(entry))
    clean(out, "kidney", sure=True)
    assert held == [True]
