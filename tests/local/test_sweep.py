"""A tiny sweep in processes: every setting is trained with every seed, and they are compared."""

import json
import subprocess
import sys
from pathlib import Path

SETTINGS = {
    "one_epoch": {"rollout_steps": 256, "batch_size": 64, "num_epochs": 1},
    "two_epochs": {"rollout_steps": 256, "batch_size": 64, "num_epochs": 2},
}


def test_settings_are_trained_with_every_seed_and_compared(tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    small = ["--track", "pebble", "--minutes", "0", "--steps", "256", "--cars", "4", "--seeds", "0,7"]
    command = [
        sys.executable,
        "-m",
        "kuberacer.run.cli",
        "sweep",
        "--settings",
        str(tmp_path / "settings.json"),
        *small,
    ]
    ended = subprocess.run([*command, "--out", str(tmp_path / "out")], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    folder = tmp_path / "out" / "latest"
    summaries = json.loads((folder / "sweep.json").read_text())
    assert {summary["setting"]: summary["trials"] for summary in summaries} == {"one_epoch": 2, "two_epochs": 2}
    assert all(summary["steps"]["mean"] == 256 for summary in summaries)
    assert "Learning curves" in (folder / "report.html").read_text()
    rows = [line for line in ended.stdout.splitlines() if line.startswith(("| one_epoch", "| two_"))]
    assert len(rows) == 2
    record = json.loads((folder / "run.json").read_text())
    assert (record["pipeline"], record["status"]) == ("sweep", "succeeded")
    stages = {stage["name"]: stage["status"] for stage in record["stages"]}
    assert {f"train[{n}]" for n in range(4)} <= stages.keys()
    assert set(stages.values()) == {"succeeded"}
