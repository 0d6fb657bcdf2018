"""Our environment against gym-donkeycar 1.0.13 from PyPI, before the same simulator: both say the same, and see the
same."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ROOT / ".envs" / "race" / "bin" / "python"
STAND_IN = ROOT / "tests" / "unit" / "environments" / "donkey_stand_in.py"
STEERING = [0.0, 0.1, -0.25, 0.333333, 1.0, -1.0, 0.05, 1e-5, -0.7, 0.5]


def talk(python: str | Path, folder: Path) -> tuple[list[dict], list[dict]]:
    """(what the simulator was told, what was seen of it)"""
    folder.mkdir()
    program = folder / "donkey_sim"
    program.write_text(f'#!/bin/sh\nexec {OURS} {STAND_IN} "$@" --log {folder}/told.jsonl\n')
    program.chmod(0o755)
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    command = [str(python), str(Path(__file__).with_name("talk.py")), str(program), str(port), f"{folder}/seen.jsonl"]
    given = "".join(f"{angle!r}\n" for angle in STEERING)
    ended = subprocess.run(command, input=given, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told, seen = ((folder / name).read_text().splitlines() for name in ("told.jsonl", "seen.jsonl"))
    return [json.loads(line) for line in told], [json.loads(line) for line in seen]


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory):
    place = tmp_path_factory.mktemp("donkey")
    return talk(sys.executable, place / "theirs"), talk(OURS, place / "ours")


def driving(told: list[dict]) -> list[dict]:
    """What was said after the car had come to its start."""
    rest = [message for message in told if message["msg_type"] in ("control", "reset_car")]
    last = max(i for i, message in enumerate(rest) if message["msg_type"] == "reset_car")
    return [message for message in rest[last + 1 :] if float(message["throttle"]) > 0]


def test_the_scene_is_loaded_by_the_same_words(both):
    (theirs, _), (ours, _) = both
    loading = [message for message in theirs if message["msg_type"] in ("get_scene_names", "load_scene")]
    assert loading == [{"msg_type": "get_scene_names"}, {"msg_type": "load_scene", "scene_name": "generated_road"}]
    assert ours[: len(loading)] == loading


def test_the_car_is_driven_by_the_same_words(both):
    (theirs, _), (ours, _) = both
    assert driving(ours) == driving(theirs)
    assert len(driving(ours)) == 2 * len(STEERING)  # each action for two frames
    kinds = {json.dumps(sorted((key, type(value).__name__) for key, value in message.items())) for message in theirs}
    assert {
        json.dumps(sorted((key, type(value).__name__) for key, value in message.items())) for message in ours
    } == kinds


def test_the_same_is_seen(both):
    (_, theirs), (_, ours) = both
    assert len(ours) == len(STEERING)
    assert ours == theirs
    assert len({row["frame"] for row in ours}) == len(STEERING)
