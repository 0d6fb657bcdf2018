"""`kuberacer leaderboard` over the runs of a folder, and over a bucket."""

import json
import subprocess
import sys
from pathlib import Path

from kuberacer.store.client import ObjectStore
from kuberacer.store.server import SeaweedServer


def card(run: str, best: float, board: str) -> str:
    result = {
        "track": "kidney", "race_type": "TIME_TRIAL", "laps_completed": 3, "trials": 3, "best_lap_s": best,
        "penalty_s": 0.0, "resets": 0, "progress": 100.0,
    }  # fmt: skip
    return json.dumps({"run": run, "leaderboard": {"name": board, "racer": "Ada"}, "evaluations": [result]})


def leaderboard(out: Path, *more: str, **environment: str) -> list[str]:
    """The runs by rank."""
    command = [sys.executable, "-m", "kuberacer.run.cli", "leaderboard", "--out", str(out), *more]
    outside = {"PATH": "/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path), "HOME": str(out)}
    done = subprocess.run(command, capture_output=True, text=True, env=outside | environment, timeout=120)
    assert done.returncode == 0, done.stderr
    assert str(out / "leaderboard" / "leaderboard.html") in done.stdout
    assert (out / "leaderboard" / "leaderboard.html").is_file()
    return [entry["run"] for entry in json.loads((out / "leaderboard" / "leaderboard.json").read_text())["entries"]]


def test_runs_of_a_folder_are_ranked_and_chosen_by_name(tmp_path: Path) -> None:
    for run, best, board in (("slow", 21.0, "club"), ("quick", 12.0, "club"), ("other", 9.0, "")):
        (tmp_path / run).mkdir()
        (tmp_path / run / "model_card.json").write_text(card(run, best, board))
    assert leaderboard(tmp_path) == ["other", "quick", "slow"]
    assert leaderboard(tmp_path, "--name", "club") == ["quick", "slow"]


def test_the_runs_of_a_bucket_are_ranked(tmp_path: Path) -> None:
    with SeaweedServer(tmp_path / "store") as server:
        assert server.settings is not None
        ObjectStore(server.settings).put_bytes("run/model_card.json", card("run", 14.0, "club").encode())
        assert leaderboard(tmp_path, **server.settings.environment()) == ["run"]
