"""A user's own environment through the whole pipeline in processes, and its checkpoint evaluated once more."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

OWN = Path(__file__).parents[2] / "presets" / "own"
RAIL = (
    "--pipeline",
    "mountain_car",
    "--environment",
    f"{OWN / 'environment.py'}:Rail",
    "--preset",
    str(OWN / "preset.py"),
)
CSV = "intermediate/worker_0.simple_rl_graph.main_level.main_level.agent_0.csv"


def kuberacer(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kuberacer.run.cli", "run", *arguments, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """(folder of all runs, the lines of the command)."""
    out = tmp_path_factory.mktemp("environment") / "out"
    ended = kuberacer(out, *RAIL, "--steps", "1500", "--copies", "4", "--episodes", "3", "--seed", "5")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return out, ended.stdout.splitlines()


def test_it_is_trained_frozen_measured_and_published(trained):
    out, lines = trained
    folder = out / "latest"
    record = json.loads((folder / "run.json").read_text())
    assert [stage["name"] for stage in record["stages"]] == [
        "train_environment", "freeze_graph", "evaluate_environment", "publish_environment",
    ]  # fmt: skip
    assert (record["status"], record["pipeline"], record["algorithm"]) == ("succeeded", "mountain_car", "dqn")
    assert (record["trials"], record["seed"]) == (3, 5)
    assert record["steps"] >= 1500
    for name in ("model/model.pb", "model/policy.json", "model/environment.json", "reward_plot.png", "model_card.md"):
        assert (folder / name).stat().st_size > 0, name
    assert "Training Reward" in (folder / CSV).read_text().splitlines()[0]
    assert list((folder / "intermediate" / "gifs").glob("episode-*_score-*.gif"))
    assert list((folder / "evaluation-gifs").glob("*.gif"))
    assert any(line.startswith("train_environment: iteration ") for line in lines)
    assert any(re.fullmatch(r"return -\d+\.\d\d over 3 episodes", line) for line in lines)


def test_a_checkpoint_is_evaluated_again_without_training(trained):
    out, _ = trained
    before = json.loads((out / "latest" / "run.json").read_text())
    ended = kuberacer(out, "--resume", "latest", "--episodes", "2")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    record = json.loads((out / "latest" / "run.json").read_text())
    assert (record["run"], record["trials"], record["steps"]) == (before["run"], 2, before["steps"])
    cached = {stage["name"]: stage["cached"] for stage in record["stages"]}
    assert cached == {
        "train_environment": True, "freeze_graph": True, "evaluate_environment": False, "publish_environment": False,
    }  # fmt: skip


def test_a_fault_in_the_environment_names_its_line(tmp_path: Path):
    source = (OWN / "environment.py").read_text()
    (tmp_path / "broken.py").write_text(source.replace("self.steps += 1\n", "self.stps += 1\n"))
    ended = kuberacer(tmp_path / "out", "--pipeline", "mountain_car", "--environment", f"{tmp_path}/broken.py:Rail",
                      "--preset", str(OWN / "preset.py"), "--steps", "1500")  # fmt: skip
    assert ended.returncode == 1
    cause, remedy = ended.stderr.splitlines()[-2:]
    assert "line 43" in cause
    assert "'Rail' object has no attribute 'stps'" in cause
    assert remedy.startswith("remedy: mend the environment")
