"""Runs of the pipelines on a cluster through the command, as a user starts them."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from kuberacer import __version__
from kuberacer.run.remote.cluster import Cluster, NotThere
from kuberacer.run.remote.stores import runs_store

STAGES = ["validate_reward", "build_sim_image", "train", "freeze_graph", "evaluate", "publish"]
TINY = (
    "--minutes", "0.2", "--steps", "512", "--cars", "8", "--hyperparameters", '{"rollout_steps": 512}', "--trials", "1",
    "--resets", "1", "--track", "pebble",
)  # fmt: skip
OWN = Path(__file__).parents[2] / "presets" / "own"
ENVIRONMENT_STAGES = ["train_environment", "freeze_graph", "evaluate_environment", "publish_environment"]
RLLIB_STAGES = ["train_rllib", "freeze_rllib", "evaluate_rllib", "publish_environment"]
SCENE = Path(__file__).parents[1] / "unit" / "rllib" / "basic_scene.py"
RAIL = (
    "--pipeline", "mountain_car", "--environment", f"{OWN / 'environment.py'}:Rail", "--preset", str(OWN / "preset.py"),
    "--steps", "1500", "--copies", "4", "--episodes", "2",
)  # fmt: skip
DONKEY = {
    "improve_steps": 250, "heatup_steps": 40, "evaluation_steps": 50, "evaluation_episodes": 2, "batch_size": 16,
    "steps_between_evaluation_periods": 100, "num_training_per_episode": 1,
}  # fmt: skip
BUCKET = "kuberacer-tests"
PATIENCE_S = 900.0  # no measure of speed: a machine that is busy or slow takes many minutes, a hang takes for ever
TYPO = "def reward_function(params):\n    return float(params['speeed'])\n"


@dataclass
class Command:
    """A running `kuberacer` command and its lines as they come."""

    out: Path
    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    @classmethod
    def start(cls, out: Path, *arguments: str, **environment: str) -> "Command":
        command = [sys.executable, "-u", "-m", "kuberacer.run.cli", *arguments, "--out", str(out)]
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
        )
        run = cls(out, process)
        for stream, lines in ((process.stdout, run.lines), (process.stderr, run.errors)):
            Thread(target=lambda stream=stream, lines=lines: lines.extend(line.rstrip() for line in stream)).start()
        return run

    @property
    def record(self) -> dict[str, Any]:
        return dict(json.loads((self.out / "latest" / "run.json").read_text()))

    def wait_for(self, text: str) -> None:
        """Until a line with this text was printed."""
        until = time.monotonic() + PATIENCE_S
        while not any(text in line for line in self.lines):
            assert self.process.poll() is None, (self.lines, self.errors)
            assert time.monotonic() < until, (self.lines, self.errors)
            time.sleep(0.2)

    def end(self) -> int:
        try:
            status = self.process.wait(PATIENCE_S)
        finally:
            self.process.kill()
        time.sleep(0.2)  # for the last lines
        return status


def check_folder(run: Command) -> None:
    """The files and the record are those of a local run."""
    folder, record = run.out / "latest", run.record
    files = ["model.tar.gz", "report.html", "evaluation_metrics.json", "TrainingMetrics.json", "video.mp4"]
    for name in [*files, "reward_map.png", "model_card.md", "model_card.json"]:
        assert (folder / name).stat().st_size > 0, name
    for name in ("model", "simtrace"):
        assert any((folder / name).rglob("*")), name
    ran = sorted(stage["name"] for stage in record["stages"] if not stage["cached"])
    assert sorted(path.stem for path in (folder / "logs").iterdir()) == ran
    assert [stage["name"] for stage in record["stages"]] == STAGES
    assert {stage["status"] for stage in record["stages"]} == {"succeeded"}
    assert (record["status"], record["track"], record["trials"]) == ("succeeded", "pebble", 1)
    assert record["steps"] >= 512
    assert all(Path(path).exists() for path in record["outputs"].values())
    assert any(line.startswith("train: iteration 1") for line in run.lines), run.lines
    assert run.lines[-4].startswith("laps completed: ")


def check_environment_folder(run: Command, *files: str, stages: list[str] = ENVIRONMENT_STAGES) -> None:
    """The files and the record of a pipeline on another environment are those of a local run."""
    folder, record = run.out / "latest", run.record
    for name in ("model/policy.json", "model/model.onnx", "evaluation_metrics.json", "model_card.md", *files):
        assert (folder / name).stat().st_size > 0, name
    assert [stage["name"] for stage in record["stages"]] == stages
    assert {stage["status"] for stage in record["stages"]} == {"succeeded"}
    assert (record["status"], record["trials"]) == ("succeeded", 2)
    assert any(line.startswith(f"{stages[0]}: iteration ") for line in run.lines), run.lines
    assert any(line.startswith("return ") and line.endswith(" over 2 episodes") for line in run.lines), run.lines


def check_unity(start: Callable[..., Command], cluster: Cluster, backend: str, folder: Path) -> None:
    """A player that is made in this folder, for the image's Python, is learned and published."""
    need_image(cluster, "unity")
    player = folder / "Basic"
    player.mkdir()
    shutil.copy(SCENE, player)
    (player / "Basic.x86_64").write_text(f'#!/bin/sh\nexec python "$(dirname "$0")/{SCENE.name}" "$@"\n')
    few = json.dumps({"num_epochs": 2, "num_env_runners": 1, "fcnet_hiddens": [32]})
    given = ("--unity-player", str(player), "--hyperparameters", few, "--steps", "1000", "--episodes", "2")
    run = start("run", "--backend", backend, "--pipeline", "unity_basic", *given)
    assert run.end() == 0, run.errors
    check_environment_folder(run, "reward_plot.png", "intermediate/episodes.csv", stages=RLLIB_STAGES)


def need_image(cluster: Cluster, name: str = "race") -> None:
    """Skips where a stage's image is neither on a node nor to be pulled from a registry that the user names."""
    if os.environ.get("KUBERACER_IMAGES") or os.environ.get(f"KUBERACER_IMAGE_{name.upper()}"):
        return
    if not on_a_node(cluster, name):
        pytest.skip(f"no node has the image kuberacer/{name}: make images IMAGE_NAMES={name}, and load it")


def on_a_node(cluster: Cluster, name: str) -> bool:
    """Whether a node has this version of the image."""
    images = [image for node in cluster.items("/api/v1/nodes") for image in node["status"].get("images") or []]
    names = {name for image in images for name in image.get("names") or []}
    return any(each.endswith(f"kuberacer/{name}:{__version__}") for each in names)


@contextlib.contextmanager
def secrets(cluster: Cluster, namespace: str, endpoint: str, key: str, password: str) -> Iterator[None]:
    """The secrets that the stages read, where they are not deployed; a bucket in the cluster's store."""
    values = {
        "kuberacer-store": {
            "KUBERACER_S3_ENDPOINT": endpoint,
            "KUBERACER_S3_BUCKET": BUCKET,
            "KUBERACER_S3_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": password,
        },
        "kuberacer-redis": {"KUBERACER_REDIS_PASSWORD": base64.b64encode(os.urandom(12)).decode()},
    }
    path = f"/api/v1/namespaces/{namespace}/secrets"
    ours = [name for name in values if cluster.find(f"{path}/{name}") is None]
    try:
        for name in ours:
            cluster.call("POST", path, {"metadata": {"name": name}, "stringData": values[name]})
        if "kuberacer-store" in ours:
            with runs_store(cluster, namespace) as store:
                store.create_bucket()
        yield
    finally:
        for name in ours:
            with contextlib.suppress(NotThere):
                cluster.call("DELETE", f"{path}/{name}")
