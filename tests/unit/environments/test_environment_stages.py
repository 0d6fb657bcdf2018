"""Train, freeze, evaluate and publish a user's own environment through the stages, with a real object store."""

import csv
import json
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest

from kuberacer.coach.environment_model import EnvironmentModel
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.rollout.environment_records import CSV
from kuberacer.stages import evaluate_environment, freeze_graph, publish_environment, train_environment
from kuberacer.store.client import ObjectStore
from tests.seaweed import seaweed

OWN = (Path(__file__).parent / "own.py").read_text(encoding="utf-8")
PRESET = (Path(__file__).parents[3] / "presets" / "environments" / "mountain_car_dqn.py").read_text(encoding="utf-8")
SETTINGS = '{"improve_steps": 600, "evaluation_episodes": 2, "training_batch_size": 32, "discount": "0.9"}'


def run(stage, **arguments: object) -> None:
    words = [word for name, value in arguments.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    sys.argv = [stage.__name__, *words]
    stage.main()


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory):
    """(folder with every stage's outputs, the store)."""
    place = tmp_path_factory.mktemp("stages")
    small = PRESET.replace("EnvironmentSteps(2000)", "EnvironmentSteps(200)").replace("(8000)", "(192)")
    with seaweed(place / "store") as settings, pytest.MonkeyPatch.context() as patched:
        for name, value in settings.environment().items():
            patched.setenv(name, value)
        patched.setattr(sys, "argv", [])
        trained = {
            "environment": "own_environment:Line", "source": OWN, "preset": small, "hyperparameters": SETTINGS,
            "copies": 4, "run": "line", "checkpoint": place / "checkpoint", "intermediate": place / "intermediate",
            "history": place / "history.jsonl", "reward_plot": place / "reward.png", "summary": place / "summary.json",
            "plots": place / "plots",
        }  # fmt: skip
        run(train_environment, **trained)
        run(train_environment, **{**trained, "steps": 900})  # goes on
        run(freeze_graph, checkpoint=place / "checkpoint", model=place / "model", checks=place / "checks.json")
        run(
            evaluate_environment,
            model=place / "model", episodes=5, evaluation_metrics=place / "m.json", gifs=place / "gifs",
        )  # fmt: skip
        run(
            publish_environment,
            model=place / "model", checkpoint=place / "checkpoint", checks=place / "checks.json",
            history=place / "history.jsonl", intermediate=place / "intermediate", reward_plot=place / "reward.png",
            summary=place / "summary.json", evaluation_metrics=place / "m.json", evaluation_gifs=place / "gifs",
            run="line", seed=0, model_folder=place / "published", model_card=place / "card.md",
            model_card_json=place / "card.json", output=place / "output.tar.gz",
        )  # fmt: skip
        yield place, ObjectStore(settings)


def test_training_goes_on_where_it_stopped_and_keeps_its_records(published):
    place, _ = published
    summary = json.loads((place / "summary.json").read_text())
    history = [json.loads(line) for line in (place / "history.jsonl").read_text().splitlines()]
    steps = [row["steps"] for row in history]
    assert summary["steps"] == steps[-1] >= 900
    assert steps == sorted(set(steps))
    assert [row["iteration"] for row in history] == sorted({row["iteration"] for row in history})


def test_the_csv_has_rl_coachs_columns_and_every_episode_once(published):
    place, _ = published
    with (place / "intermediate" / CSV).open(newline="") as file:
        rows = list(csv.DictReader(file))
    trained = [row for row in rows if row["Training Reward"]]
    assert len({row["Episode #"] for row in trained}) == len(trained) > 10
    assert all(float(row["Training Reward"]) == -float(row["Episode Length"]) for row in trained)
    assert any(row["Evaluation Reward"] for row in rows)


def test_policy_json_tells_a_server_all_that_it_needs(published):
    place, store = published
    policy = json.loads(store.get_bytes("line/model/policy.json"))
    assert policy == json.loads((place / "published" / "policy.json").read_text())
    assert (policy["run"], policy["environment"], policy["output"]) == ("line", "own_environment:Line", "q_values")
    numbers = policy["normalisation"]
    model = EnvironmentModel.parse((place / "published" / "environment.json").read_bytes())
    frozen = FrozenPolicy(place / "published" / policy["graph"]["file"], model)
    for example in policy["examples"]:
        seen = (np.array([example["observation"]], np.float32) - numbers["mean"]) / numbers["std"]
        assert int(frozen.outputs(seen).argmax()) == example["action"]
    frozen.close()


def test_the_evaluation_plays_what_it_says(published):
    place, _ = published
    found = json.loads((place / "m.json").read_text())
    assert len(found["returns"]) == found["episodes"] == 5
    assert found["mean_return"] == pytest.approx(np.mean(found["returns"]))
    assert [-length for length in found["lengths"]] == found["returns"]


def test_pictures_and_output_lie_where_a_training_job_leaves_them(published):
    place, store = published
    keys = list(store.list("line/"))
    assert any(key.startswith("line/output/intermediate/gifs/episode-") and key.endswith(".gif") for key in keys)
    assert f"line/output/intermediate/{CSV}" in keys
    with tarfile.open(place / "output.tar.gz") as archive:
        names = archive.getnames()
    assert f"intermediate/{CSV}" in names
    assert any(name.startswith("data/checkpoint/") and name.endswith(".ckpt.index") for name in names)
