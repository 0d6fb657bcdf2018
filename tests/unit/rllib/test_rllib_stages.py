"""Train, freeze, evaluate and publish by the stages' commands, through deaths of the player and of the trainer."""

import argparse
import csv
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from kuberacer.errors import UserError
from kuberacer.stages import evaluate_rllib, freeze_rllib
from kuberacer.stages.rllib_arguments import add_playing, playing_of
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore
from tests import processes
from tests.processes import Watched
from tests.seaweed import seaweed
from tests.unit.rllib.players import write_player

processes.PATIENCE_S = 900  # starting Ray and torch is work
QUICK = '{"num_epochs": 2, "num_env_runners": 1, "fcnet_hiddens": [32]}'


def command(stage: str, **arguments: object) -> list[str]:
    words = [word for name, value in arguments.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    return [sys.executable, "-m", f"kuberacer.stages.{stage}", *words]


def here(stage, **arguments: object) -> None:
    """A stage in this process, which has imported torch already."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", command(stage.__name__, **arguments)[2:])
        stage.main()


def outputs(place: Path) -> dict[str, object]:
    names = {"checkpoint": "checkpoint", "intermediate": "intermediate", "history": "history.jsonl"}
    names |= {"reward_plot": "reward.png", "summary": "summary.json"}
    return {name: place / file for name, file in names.items()}


def begun(words: list[str]) -> Watched:
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    watched = Watched(process=process)

    def follow() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            watched.lines.append(line.rstrip())

    threading.Thread(target=follow, daemon=True).start()
    return watched


def done(words: list[str]) -> str:
    ended = subprocess.run(words, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    return ended.stdout


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory):
    with seaweed(tmp_path_factory.mktemp("store")) as settings, pytest.MonkeyPatch.context() as patched:
        for name, value in settings.environment().items():
            patched.setenv(name, value)
        yield ObjectStore(settings)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, store: ObjectStore):
    """(folder, what the training said before it was killed, and after) of a run whose player dies once."""
    place = tmp_path_factory.mktemp("stages")
    player = write_player(
        place / "player" / "Basic.x86_64", "--fault", "dies", "--at", "700", "--once", str(place / "died")
    )
    asked = {"player": player, "hyperparameters": QUICK, "steps": 2000, "run": "basic", "seed": 3, **outputs(place)}
    first = begun(command("train_rllib", **asked))
    first.wait_for("iteration 2 ")
    os.kill(first.process.pid, signal.SIGKILL)
    first.end()
    psutil.wait_procs(list(first.seen.values()), timeout=120)  # Ray's agents look now and then whether it still lives
    assert not first.left_behind()
    return place, first.lines, done(command("train_rllib", **asked)).splitlines()


def test_a_player_that_dies_is_started_anew(trained):
    place, before, _ = trained
    assert (place / "died").exists()
    told = [line for line in before if "process 1 failed and was started anew" in line]
    assert len(told) == 1
    assert "ended by itself, with status 3" in told[0]


def test_a_killed_training_goes_on_from_its_last_checkpoint(trained):
    place, _, after = trained
    assert any("goes on after iteration 2 " in line or "goes on after iteration 3 " in line for line in after)
    history = [json.loads(line) for line in (place / "history.jsonl").read_text().splitlines()]
    assert [row["iteration"] for row in history] == [1, 2, 3, 4]
    assert [row["steps"] for row in history] == [500, 1000, 1500, 2000]
    assert json.loads((place / "summary.json").read_text())["steps"] == 2000
    with (place / "intermediate" / "episodes.csv").open(newline="") as file:
        episodes = list(csv.DictReader(file))
    assert [int(row["episode"]) for row in episodes] == list(range(len(episodes)))
    paid = {round(float(row["return"]) + 0.01 * int(row["length"]), 3) for row in episodes}
    assert paid <= {0.0, 0.1, 1.0}  # whole episodes, also those that went on in the next iteration
    assert (place / "reward.png").read_bytes().startswith(b"\x89PNG")


def test_the_store_has_checkpoints_of_numbers_and_the_players_log(trained, store):
    manifest = CheckpointStore(store, "basic").find("last")
    assert manifest is not None
    assert {"weights.npz", "weights.json", "environment.json", "history.jsonl"} <= manifest.files.keys()
    assert not any(name.endswith((".pkl", ".pt")) for name in manifest.files)
    assert b"Mono path" in store.get_bytes("basic/logs/player-1.log")


def test_the_policy_is_frozen_evaluated_and_published(trained, store):
    place, _, _ = trained
    player = write_player(place / "sound" / "Basic.x86_64")
    here(freeze_rllib, checkpoint=place / "checkpoint", model=place / "model", checks=place / "checks.json")
    here(
        evaluate_rllib, model=place / "model", player=player, episodes=2, run="basic",
        evaluation_metrics=place / "m.json", gifs=place / "gifs",
    )  # fmt: skip
    found = json.loads((place / "m.json").read_text())
    assert len(found["returns"]) == found["episodes"] == 2
    assert found["min_return"] <= found["mean_return"] <= found["max_return"] <= 0.93 + 1e-6
    publish = command(
        "publish_environment", model=place / "model", checkpoint=place / "checkpoint", checks=place / "checks.json",
        history=place / "history.jsonl", intermediate=place / "intermediate", reward_plot=place / "reward.png",
        summary=place / "summary.json", evaluation_metrics=place / "m.json", evaluation_gifs=place / "gifs",
        run="basic", seed=3, model_folder=place / "published", model_card=place / "card.md",
        model_card_json=place / "card.json", output=place / "output.tar.gz",
    )  # fmt: skip
    done([str(Path(sys.prefix).parent / "race" / "bin" / "python"), *publish[1:]])
    policy = json.loads(store.get_bytes("basic/model/policy.json"))
    assert (policy["run"], policy["environment"], policy["framework"]) == ("basic", "unity:Basic", "rllib")
    assert len(policy["examples"]) == 3
    assert store.exists("basic/model/model.onnx")
    assert "trained with RLlib's ppo" in (place / "card.md").read_text()


@pytest.mark.parametrize(
    ("words", "environment", "told"),
    [
        ([], "", "nothing is given to be played"),
        (["--player", "a"], "CartPole-v1", "both an environment and a player are given"),
        (["--player", "a", "--player-timeout", "0"], "", "player_timeout is 0"),
    ],
)
def test_what_is_not_said_is_asked_for(tmp_path, words, environment, told):
    parser = argparse.ArgumentParser()
    add_playing(parser)
    options = parser.parse_args(words)
    options.run, options.seed = "none", 0
    with pytest.raises(UserError, match=told):
        playing_of(options, environment, "", tmp_path)
