"""What make gives to the command: what the user named, and nothing of its own."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def command_of(target: str, *variables: str) -> list[str]:
    """The last command that make would run for a target."""
    names = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    asked = ["make", "--dry-run", "--no-print-directory", target, *variables]
    made = subprocess.run(asked, cwd=ROOT, env=names, capture_output=True, text=True, check=True)
    return shlex.split(made.stdout.splitlines()[-1])[1:]


@pytest.mark.parametrize(("target", "command"), [("run-pipeline", "run"), ("run-sweep", "sweep"), ("validate",) * 2])
def test_nothing_given_is_nothing_said(target: str, command: str) -> None:
    assert command_of(target) == [command]


def test_what_is_given_is_said() -> None:
    given = ["TRACK=a b.npy", "RACE=race.yaml", "TRAINING_VIDEOS=2"]
    assert command_of("run-pipeline", *given) == [
        "run", "--track", "a b.npy", "--race", "race.yaml", "--training-videos", "2"
    ]  # fmt: skip


@pytest.mark.parametrize("pipeline", ["", "mountain_car", "unity_basic"])
def test_only_unity_basic_makes_the_large_environment(pipeline: str) -> None:
    changed = ["make", "--dry-run", "-W", "images/unity/torch.lock", "run-pipeline", f"PIPELINE={pipeline}"]
    made = subprocess.run(changed, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert ("images/unity/torch.lock" in made) == (pipeline == "unity_basic")


def test_a_unity_player_is_named_as_one() -> None:
    given = ["PIPELINE=unity_basic", "UNITY_PLAYER=build/Basic.x86_64", "UNITY_TIMEOUT=90"]
    said = command_of("run-pipeline", *given)
    assert said[said.index("--unity-player") + 1] == "build/Basic.x86_64"
    assert said[said.index("--unity-timeout") + 1] == "90"
    assert said[said.index("--pipeline") + 1] == "unity_basic"
