"""Trainings whose reward is a program or a server: in the trainer's own process, and with rollout workers."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kuberacer.run.reward_file import reward_text
from tests.local.distributed import QUOTA, RACE, ROOT, SameStore, Training, assert_exact, running_store

LANGUAGES = ROOT / "rewards" / "languages"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SameStore]:
    with running_store(tmp_path / "store") as store:
        yield store


@pytest.fixture
def start(tmp_path: Path, store: SameStore) -> Iterator[Callable[..., Training]]:
    trainings: list[Training] = []

    def begin(workers: int, reward: str, steps: int) -> Training:
        trainings.append(Training.start(tmp_path / "train", store, workers, reward=reward, steps=steps, cars=4))
        return trainings[-1]

    yield begin
    for training in trainings:
        training.process.kill()
        training.process.wait()


@pytest.fixture
def server() -> Iterator[str]:
    command = [str(RACE), str(LANGUAGES / "http_server.py"), "--port", "0"]
    command += ["--reward", str(ROOT / "rewards" / "follow_center_line.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.kill()


def test_workers_ask_their_own_programs(start: Callable[..., Training]) -> None:
    if shutil.which("node") is None:
        pytest.skip("there is no node on this machine")
    training = start(2, reward_text(LANGUAGES / "node.yaml"), 2 * QUOTA)
    assert training.end() == 0, training.lines
    assert_exact(training, 2)
    assert all(row["learning"]["reward_us"] > 0 for row in training.history)
    assert not training.left_behind()


def test_a_training_asks_a_server(start: Callable[..., Training], server: str) -> None:
    training = start(0, json.dumps({"kuberacer_reward": 1, "http": server}), 2 * QUOTA)
    assert training.end() == 0, training.lines
    assert any("reward HTTP" in line for line in training.lines)
    assert len(training.history) == 2
    assert all(row["learning"]["reward_us"] > 0 for row in training.history)


SHELL = """read line; echo '{"kuberacer_reward": 1, "keys": []}'
step=0
while read line; do
  step=$((step + 1))
  if [ $step -gt 20 ]; then echo "no more" >&2; exit 7; fi
  echo '{"rewards": [1.0, 1.0, 1.0, 1.0]}'
done
"""


@pytest.mark.parametrize("workers", [0, 1])
def test_a_program_that_ends_ends_the_training(start: Callable[..., Training], workers: int) -> None:
    document = {"kuberacer_reward": 1, "command": ["sh", "go.sh"], "files": {"go.sh": SHELL}}
    training = start(workers, json.dumps(document), 3 * QUOTA)
    assert training.end() == 1
    assert any("it has ended (status 7), in a step of 4 cars" in line for line in training.lines), training.lines
    assert any("it wrote: no more" in line for line in training.lines)
    assert training.lines[-1].startswith("remedy:")
    assert not training.left_behind()
