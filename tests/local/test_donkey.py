"""The donkey car through the whole pipeline in processes: its filters, parameters, plots, and MLflow's own file."""

import json
import sqlite3
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

SMALL = {
    "improve_steps": 250, "heatup_steps": 40, "evaluation_steps": 50, "evaluation_episodes": 2,
    "steps_between_evaluation_periods": 100, "num_training_per_episode": 1, "batch_size": 16,
    "throttle": 0.25, "max_cte": 4.0,
}  # fmt: skip
STEPS = ["to_float", "rgb_to_y", "crop(40, 120, 0, 160)", "sobel", "binarise(100)", "add_channel"]


def kuberacer(out: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kuberacer.run.cli", "run", *arguments, "--out", str(out)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """(folder of all runs, the lines of the command)."""
    out = tmp_path_factory.mktemp("donkey") / "out"
    with pytest.MonkeyPatch.context() as patched:
        for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "DONKEY_SIM_PATH"):
            patched.delenv(name, raising=False)
        ended = kuberacer(
            out, "--pipeline", "donkey_cte", "--hyperparameters", json.dumps(SMALL), "--copies", "3",
            "--episodes", "2", "--seed", "4",
        )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return out, ended.stdout.splitlines()


def test_it_is_trained_frozen_measured_and_published(trained):
    out, lines = trained
    folder = out / "latest"
    record = json.loads((folder / "run.json").read_text())
    assert (record["status"], record["pipeline"], record["algorithm"]) == ("succeeded", "donkey_cte", "sac")
    assert record["steps"] >= 250
    for name in ("model/model.pb", "plots/reward_distribution.png", "plots/reward_plot.png", "model_card.md"):
        assert (folder / name).stat().st_size > 0, name
    measured = json.loads((folder / "evaluation_metrics.json").read_text())
    assert measured["episodes"] == 2
    assert max(measured["lengths"]) <= 50
    assert 0 < measured["farthest_cte"] < 6
    assert any("3 copies of donkey_car" in line for line in lines)


def test_what_is_published_has_the_presets_filters_and_the_users_numbers(trained):
    out, _ = trained
    policy = json.loads((out / "latest" / "model" / "policy.json").read_text())
    assert policy["preprocess"] == STEPS
    assert policy["normalisation"] is None
    assert (policy["observation"]["shape"], policy["action"]["low"], policy["output"]) == (
        [120, 160, 3],
        [-1],
        "action",
    )
    environment = json.loads((out / "latest" / "model" / "environment.json").read_text())
    assert environment["parameters"] == {
        "throttle": 0.25, "max_cte": 4.0, "scale_cte_reward": 5.0, "crash_reward": -200.0, "max_episode_steps": 50,
    }  # fmt: skip
    settings = json.loads((out / "latest" / "model" / "hyperparameters.json").read_text())
    assert {name: settings[name] for name in SMALL} == SMALL
    assert settings["discount"] == 0.99


def test_mlflow_has_it_in_a_file_of_this_machine(trained):
    out, lines = trained
    with sqlite3.connect(out / "mlflow" / "mlflow.db") as database:
        (run_id, name, status, place), *others = database.execute(
            "select run_uuid, name, status, artifact_uri from runs"
        ).fetchall()
        parameters = dict(database.execute("select key, value from params"))
        figures = {key for (key,) in database.execute("select key from latest_metrics")}
        (experiment,) = database.execute("select name from experiments where name != 'Default'").fetchone()
    assert (others, experiment, name, status) == ([], "rl_reward_cte", (out / "latest").resolve().name, "FINISHED")
    assert {key: parameters[key] for key in SMALL} == {key: str(value) for key, value in SMALL.items()}
    assert {"episode_length_max", "episode_length_mean", "episode_reward_max", "episode_reward_mean"} <= figures
    assert Path(place).is_relative_to(out / "mlflow")
    assert (Path(place) / "plots" / "reward_distribution.png").exists()
    assert list(Path(place).glob("*_Step-*.ckpt.index"))
    assert any(line.endswith(f"MLflow has it as run {run_id}") for line in lines)


def test_its_policy_is_served_with_the_presets_filters(trained, tmp_path: Path):
    """The server answers the policy's own examples before it is ready."""
    out, _ = trained
    policy = json.loads((out / "latest" / "model" / "policy.json").read_text())
    example = policy["examples"][0]

    def command(*words: str) -> str:
        whole = [sys.executable, "-m", "kuberacer.run.cli", *words, "--out", str(out)]
        ended = subprocess.run(whole, capture_output=True, text=True, check=False)
        assert ended.returncode == 0, ended.stdout + ended.stderr
        return ended.stdout

    try:
        said = command("deploy-endpoint", "--run", "latest", "--name", "donkey", "--port", "0").splitlines()
        address = next(line.removeprefix("address: ") for line in said if line.startswith("address: "))
        body = json.dumps({"instances": [example["observation"]]}).encode()
        request = urllib.request.Request(f"{address}:predict", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            (found,) = json.load(answer)["predictions"]
    finally:
        command("delete-endpoint", "--name", "donkey")
    assert abs(found["action"][0] - example["action"][0]) < 1e-3
