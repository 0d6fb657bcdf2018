"""Trainings in a real MLflow: what they leave there, what a later one begins with, and what happens when it fails."""

import csv
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from kuberacer.coach.compat.tensorflow_names import tf
from kuberacer.coach.environment_preset import EnvironmentPreset
from kuberacer.environments.loader import Environments
from kuberacer.errors import UserError
from kuberacer.rollout.environment_records import CSV
from kuberacer.rollout.trainer import Iteration
from kuberacer.stages import mlflow_checkpoint, train_environment
from kuberacer.stages.mlflow_tracking import TrackedRun, client_of
from tests.seaweed import seaweed

ROOT = Path(__file__).parents[2]
OWN = (ROOT / "tests" / "unit" / "environments" / "own.py").read_text(encoding="utf-8")
PRESET = (ROOT / "presets" / "environments" / "mountain_car_dqn.py").read_text(encoding="utf-8")
PRESET = PRESET.replace("EnvironmentSteps(2000)", "EnvironmentSteps(100)").replace("(8000)", "(192)")
SETTINGS = '{"improve_steps": 300, "evaluation_episodes": 2, "training_batch_size": 32, "discount": "0.9"}'
LINE = "own_environment:Line"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


@contextmanager
def mlflow_server(folder: Path):
    """The address of a real server, with its database and artifacts in a folder."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    command = [
        str(ROOT / ".envs" / "mlflow" / "bin" / "mlflow"), "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/mlflow.db",
        "--artifacts-destination", str(folder / "artifacts"),
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=environment)
    try:
        deadline = time.monotonic() + 300
        while True:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=5).close()
                break
            except OSError:
                assert process.poll() is None, (folder / "server.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def asked(address: str, method: str, body: dict | None = None, **query: str) -> dict:
    """MLflow's REST interface, without its client."""
    url = f"{address}/api/2.0/mlflow/{method}?{urllib.parse.urlencode(query)}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def runs_of(address: str, experiment: str) -> list[dict]:
    number = asked(address, "experiments/get-by-name", experiment_name=experiment)["experiment"]["experiment_id"]
    return asked(address, "runs/search", {"experiment_ids": [number]}).get("runs", [])


def artifacts(address: str, run_id: str, path: str = "") -> set[str]:
    return {each["path"] for each in asked(address, "artifacts/list", run_id=run_id, path=path).get("files", [])}


def train(place: Path, run: str, **more: object) -> Path:
    """Run the stage; the folder of its outputs."""
    folder = place / run
    given = {
        "environment": LINE, "source": OWN, "preset": PRESET, "hyperparameters": SETTINGS, "copies": 4, "run": run,
        "checkpoint": folder / "checkpoint", "intermediate": folder / "intermediate", "plots": folder / "plots",
        "history": folder / "history.jsonl", "reward_plot": folder / "reward.png", "summary": folder / "summary.json",
        "mlflow_experiment": "lines", **more,
    }  # fmt: skip
    words = [word for name, value in given.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    sys.argv = ["train_environment", *words]
    train_environment.main()
    return folder


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory):
    """A folder, with an object store and an MLflow server whose address is in the environment."""
    folder = tmp_path_factory.mktemp("mlflow")
    with (
        mlflow_server(folder) as address,
        seaweed(folder / "store") as settings,
        pytest.MonkeyPatch.context() as patched,
    ):
        for name, value in settings.environment().items():
            patched.setenv(name, value)
        patched.setenv("MLFLOW_TRACKING_URI", address)
        patched.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        patched.delenv("MLFLOW_RUN_ID", raising=False)
        patched.setattr(sys, "argv", [])
        yield folder


@pytest.fixture(scope="module")
def address(place) -> str:
    return os.environ["MLFLOW_TRACKING_URI"]


@pytest.fixture(scope="module")
def trained(place, address):
    """(the stage's outputs, MLflow's run) of a training that was interrupted and resumed."""
    train(place, "line")
    folder = train(place, "line", steps=500)
    (run,) = runs_of(address, "lines")
    return folder, run


def test_parameters_and_figures_are_there(trained):
    folder, run = trained
    parameters = {each["key"]: each["value"] for each in run["data"]["params"]}
    assert parameters["improve_steps"] == "300"
    assert parameters["environment"] == LINE
    assert (parameters["checkpoint_runid"], parameters["checkpoint_id"]) == ("None", "None")
    with (folder / "intermediate" / CSV).open(newline="") as file:
        rows = list(csv.DictReader(file))
    figures = {each["key"]: each["value"] for each in run["data"]["metrics"]}
    for name, column in (("episode_length", "Episode Length"), ("episode_reward", "Training Reward")):
        values = [float(row[column]) for row in rows if row[column]]
        assert figures[f"{name}_max"] == max(values)
        assert figures[f"{name}_mean"] == pytest.approx(np.mean(values))
    assert figures["evaluation_reward"] < 0
    assert (run["info"]["status"], run["info"]["run_name"]) == ("FINISHED", "line")


def test_the_checkpoint_the_csv_and_the_plots_are_there(trained, address):
    folder, run = trained
    run_id = run["info"]["run_id"]
    there = artifacts(address, run_id)
    assert {path.name for path in (folder / "checkpoint").iterdir()} <= there
    assert {CSV, "plots", "gifs"} <= there
    assert artifacts(address, run_id, "plots") == {"plots/reward_plot.png"}
    url = f"{address}/get-artifact?" + urllib.parse.urlencode({"run_uuid": run_id, "path": CSV})
    with urllib.request.urlopen(url, timeout=30) as answer:
        assert answer.read() == (folder / "intermediate" / CSV).read_bytes()


def checkpoint_of(run: dict, address: str) -> str:
    return next(name for name in artifacts(address, run["info"]["run_id"]) if name.endswith(".ckpt.index"))[:-6]


def test_an_agent_begins_with_a_checkpoint_of_a_run(trained, address, tmp_path):
    folder, run = trained
    name = checkpoint_of(run, address)
    preset = EnvironmentPreset.load(PRESET, {})
    agent = preset.build_agent(Environments(LINE, OWN).model("dqn"), 2, 7, 1)
    try:
        told = mlflow_checkpoint.begin_with(agent, "", run["info"]["run_id"], name, tmp_path)
        assert (told["checkpoint"], told["iteration"], told["steps"]) == (name, agent.iteration, agent.steps_before)
        assert told["optimizer_state"]
        saved = tf.train.load_checkpoint(str(folder / "checkpoint" / name))
        for variable in agent.coach.saved_variables:
            assert np.array_equal(agent.coach.session.run(variable), saved.get_tensor(variable.op.name))
    finally:
        agent.close()


def test_a_training_begins_with_it_and_says_so(trained, address, place, capsys):
    _, run = trained
    name, run_id = checkpoint_of(run, address), run["info"]["run_id"]
    folder = train(place, "further", steps=100, checkpoint_runid=run_id, checkpoint_id=name.removesuffix(".ckpt"))
    assert f"begins with {name} of MLflow run {run_id}" in capsys.readouterr().out
    assert json.loads((folder / "summary.json").read_text())["pretrained"]["from"] == f"MLflow run {run_id}"
    (found,) = [each for each in runs_of(address, "lines") if each["info"]["run_name"] == "further"]
    assert {"key": "checkpoint_runid", "value": run_id} in found["data"]["params"]


def test_the_run_that_a_pipelines_engine_has_begun_is_written_into(place, address, monkeypatch):
    number = asked(address, "experiments/create", {"name": "of-the-engine"})["experiment_id"]
    run_id = asked(address, "runs/create", {"experiment_id": number})["run"]["info"]["run_id"]
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    train(place, "injected", steps=100)
    (run,) = runs_of(address, "of-the-engine")
    assert {each["key"] for each in run["data"]["metrics"]} >= {"episode_length_max", "episode_reward_mean"}
    assert run["info"]["status"] == "RUNNING"  # its end is the engine's to say


def test_a_run_or_checkpoint_that_is_not_there_is_named_with_both(trained, address, tmp_path):
    _, run = trained
    run_id, nobody = run["info"]["run_id"], "0" * 32
    with pytest.raises(UserError, match=rf"the MLflow run {run_id} at .* has no checkpoint 99_Step-1.ckpt") as caught:
        mlflow_checkpoint.fetch(address, run_id, "99_Step-1.ckpt", tmp_path)
    assert checkpoint_of(run, address) in caught.value.remedy
    with pytest.raises(UserError, match=f"there is no MLflow run {nobody} at .*checkpoint 1_Step-1"):
        mlflow_checkpoint.fetch(address, nobody, "1_Step-1", tmp_path)
    for name in ("../1_Step-1.ckpt", "model.pkl", "1_Step-1.ckpt/../../x"):
        with pytest.raises(UserError, match=r"no checkpoint .* can be"):
            mlflow_checkpoint.fetch(address, run_id, name, tmp_path)
    with pytest.raises(UserError, match="only the run is given"):
        mlflow_checkpoint.begin_with(None, address, run_id, "", tmp_path)


def test_a_checkpoint_that_is_none_is_refused(trained, address, tmp_path):
    _, run = trained
    run_id, client = run["info"]["run_id"], client_of(address)
    for part in ("index", "data-00000-of-00001"):
        path = tmp_path / f"7_Step-7.ckpt.{part}"
        path.write_bytes(b"cos\nsystem\n(S'touch unpickled'\ntR.")
        client.log_artifact(run_id, str(path))
    preset = EnvironmentPreset.load(PRESET, {})
    agent = preset.build_agent(Environments(LINE, OWN).model("dqn"), 2, 7, 1)
    try:
        with pytest.raises(UserError, match=r"7_Step-7\.ckpt cannot be read"):
            mlflow_checkpoint.begin_with(agent, address, run_id, "7_Step-7.ckpt", tmp_path / "fetched")
    finally:
        agent.close()
    assert not Path("unpickled").exists()


def turn() -> Iteration:
    return Iteration(1, 1.0, 10, 1, [], None, {"loss": 1.0}, 0.0, 0.0, 0.0)


def test_a_server_that_does_not_answer_stops_a_training_before_it_begins(monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    with pytest.raises(UserError, match=r"MLflow at http://127.0.0.1:\d+: ") as caught:
        TrackedRun.begin("lines", f"http://me:secret@127.0.0.1:{free_port()}", "line", {})
    assert "secret" not in str(caught.value)
    assert "MLFLOW_EXPERIMENT=" in caught.value.remedy


def test_one_that_goes_away_stops_nothing_until_the_end(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    address = f"http://127.0.0.1:{free_port()}"
    tracked = TrackedRun(client_of(address), address, "0" * 32, owned=True)
    for _ in range(3):
        tracked.tell(turn(), [])
    assert capsys.readouterr().out.count("the training goes on") == 1
    with pytest.raises(UserError, match="MLflow at"):
        tracked.finish(10, [], {})
