"""Endpoints of this machine: a policy is trained for a moment, deployed by the command, asked, killed under load, and
deleted. (That one expires is in tests/unit/serve/test_supervise.py.)"""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import Any

import psutil
import pytest

from tests.processes import PATIENCE_S, gone

PRESET = Path(__file__).parents[2] / "presets" / "environments" / "mountain_car_dqn.py"
SHORT = """
from gymnasium.wrappers import TimeLimit
from kuberacer.environments.mountain_car import PatientMountainCar

class ShortMountainCar(TimeLimit):
    def __init__(self, render_mode=None):
        super().__init__(PatientMountainCar(render_mode), 50)
"""
TINY = (
    "--pipeline", "mountain_car", "--preset", str(PRESET), "--copies", "4", "--steps", "400", "--episodes", "1",
    "--hyperparameters", '{"evaluation_episodes": 1, "training_batch_size": 32}',
)  # fmt: skip
NAME = "car"


def command(out: Path, *words: str) -> subprocess.CompletedProcess[str]:
    whole = [sys.executable, "-m", "kuberacer.run.cli", *words, "--out", str(out)]
    return subprocess.run(whole, capture_output=True, text=True, timeout=2 * PATIENCE_S)


def told(done: subprocess.CompletedProcess[str]) -> list[str]:
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def record(out: Path) -> dict[str, Any]:
    return json.loads((out / ".endpoints" / NAME / "endpoint.json").read_text())


def supervisor(out: Path) -> psutil.Process:
    return psutil.Process(int((out / ".endpoints" / NAME / ".lock").read_text()))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With one run."""
    place = tmp_path_factory.mktemp("endpoints")
    (place / "short.py").write_text(SHORT)
    told(command(place / "out", "run", *TINY, "--environment", f"{place / 'short.py'}:ShortMountainCar"))
    return place / "out"


@pytest.fixture
def deployed(out: Path) -> Iterator[list[str]]:
    """What the deployment said; whatever fails, the endpoint does not outlive the test."""
    yield told(command(out, "deploy-endpoint", "--run", "latest", "--name", NAME, "--port", "0"))
    command(out, "delete-endpoint", "--name", NAME)


def test_what_was_trained_is_served(out: Path, deployed: list[str]) -> None:
    policy = json.loads((out / "latest" / "model" / "policy.json").read_text())
    address = f"http://127.0.0.1:{record(out)['port']}/v1/models/{NAME}"
    assert deployed[0].startswith(f"endpoint {NAME}: ready after ")
    assert deployed[1] == f"address: {address}"
    assert f"make delete-endpoint NAME={NAME}" in deployed[-1]
    for example in policy["examples"]:
        seen = json.dumps(example["observation"])
        (line,) = told(command(out, "predict", "--run", "latest", "--observation", seen))
        found = json.loads(line)
        assert found["action"] == example["action"]
        assert len(found["q_values"]) == 3
    (listed,) = told(command(out, "endpoints"))
    assert listed.startswith(f"{NAME}  {address}  of {policy['run']}, expires in ")


def test_what_is_wrong_is_told(out: Path, deployed: list[str]) -> None:
    refused = command(out, "predict", "--name", NAME, "--observation", "[0.5]")
    assert refused.stderr.splitlines()[-1] == "remedy: give 2 finite numbers (position, velocity)"
    again = command(out, "deploy-endpoint", "--run", "latest", "--name", NAME)
    assert f"there is an endpoint {NAME} already" in again.stderr
    assert command(out, "predict", "--name", "other", "--observation", "[0, 0]").stderr.startswith(
        "error: there is no endpoint other\n"
    )


def test_the_curl_command_that_is_shown_works(out: Path, deployed: list[str]) -> None:
    if shutil.which("curl") is None:
        pytest.skip("no curl")
    curl = next(line.strip() for line in deployed if line.strip().startswith("curl"))
    done = subprocess.run(["bash", "-c", curl], capture_output=True, text=True, timeout=60)
    assert "predictions" in json.loads(done.stdout)


def test_nothing_is_left_of_a_deleted_one(out: Path, deployed: list[str]) -> None:
    process = supervisor(out)
    pids = [process.pid, *(child.pid for child in process.children(recursive=True))]
    port = record(out)["port"]
    told(command(out, "delete-endpoint", "--run", "latest"))
    assert all(gone(pid) for pid in pids)
    assert not (out / ".endpoints" / NAME).exists()
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port).connect()
    assert told(command(out, "endpoints")) == ["there is no endpoint on this machine"]


def test_a_kill_under_load_loses_what_was_in_flight_only(out: Path, deployed: list[str]) -> None:
    port, clients, until = record(out)["port"], 8, time.monotonic() + PATIENCE_S
    stop, answered, lost = Event(), [0] * clients, [0] * clients

    def ask(number: int) -> None:
        body, headers = '{"instances": [[0.5, -0.5]]}', {"content-type": "application/json"}
        while not stop.is_set():
            try:
                with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
                    connection.request("POST", f"/v1/models/{NAME}:predict", body, headers)
                    assert connection.getresponse().status == 200
                answered[number] += 1
            except (OSError, http.client.HTTPException):
                lost[number] += 1

    threads = [Thread(target=ask, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()

    def more(count: int) -> None:
        wanted = sum(answered) + count
        while sum(answered) < wanted:
            assert time.monotonic() < until
            time.sleep(0.02)

    more(50)
    workers = supervisor(out).children()
    os.kill(workers[0].pid, signal.SIGKILL)
    more(200)
    stop.set()
    for thread in threads:
        thread.join()
    assert max(lost) <= 1  # each had one in flight at most
    assert len([worker for worker in supervisor(out).children() if worker.pid != workers[0].pid]) == len(workers)
