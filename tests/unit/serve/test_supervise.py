"""An endpoint of this machine, as processes: it starts, replaces who dies, ends in time, and leaves nothing."""

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import policies
import pytest

from kuberacer.serve import supervise

PATIENCE_S = 60
START = Callable[..., subprocess.Popen]


def until(found: Callable[[], object], what: str = "") -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not found():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


def record(folder: Path) -> dict:
    return json.loads((folder / "endpoint.json").read_text())


def answers(folder: Path) -> bool:
    with contextlib.suppress(OSError, ValueError):
        connection = http.client.HTTPConnection("127.0.0.1", record(folder)["port"], timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
    return False


def predict(port: int) -> int:
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)) as connection:
        body = '{"instances": [[0.5, -0.5]]}'
        connection.request("POST", "/v1/models/car:predict", body, {"content-type": "application/json"})
        return json.loads(connection.getresponse().read())["predictions"][0]["action"]


def workers(process: subprocess.Popen) -> list[int]:
    """Those that answer."""
    return [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


def alive(pid: int) -> bool:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    policies.mountain_car(tmp_path / "car" / "model")
    return tmp_path / "car"


@pytest.fixture
def start(folder: Path) -> Iterator[START]:
    started: list[subprocess.Popen] = []

    def run(*arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "kuberacer.serve", "--folder", str(folder), "--name", "car", "--port", "0"]
        with (folder / "server.log").open("ab") as log:
            started.append(subprocess.Popen([*command, *arguments], stdout=log, stderr=log))
        return started[-1]

    yield run
    for process in started:
        process.kill()
        process.wait()


def test_a_process_that_dies_is_replaced_and_nobody_waits_for_it(start, folder):
    process = start()
    until(lambda: answers(folder))
    found = record(folder)
    assert (found["name"], found["host"], (folder / "endpoint.json").stat().st_mode & 0o777) == (
        "car",
        "127.0.0.1",
        0o600,
    )
    until(lambda: len(workers(process)) == 2)
    first = workers(process)
    assert predict(found["port"]) == 0
    for pid in first:
        os.kill(pid, signal.SIGKILL)
        assert predict(found["port"]) == 0  # by the other, or by who comes next
        until(lambda: len(workers(process)) == 2)
    until(lambda: not set(workers(process)) & set(first))
    assert process.poll() is None


def test_it_ends_when_it_is_asked_to_and_its_folder_goes(start, folder):
    process = start("--workers", "1")
    until(lambda: answers(folder))
    process.send_signal(signal.SIGTERM)
    assert process.wait(PATIENCE_S) == 0
    assert not folder.exists()


def test_it_ends_in_time(start, folder):
    process = start("--workers", "1", "--expires-at", str(time.time() + 6))
    until(lambda: answers(folder) or process.poll() is not None)
    assert process.wait(PATIENCE_S) == 0
    assert not folder.exists()


def test_it_ends_when_its_record_is_removed(start, folder):
    process = start("--workers", "1")
    until(lambda: answers(folder))
    (folder / "endpoint.json").unlink()
    assert process.wait(PATIENCE_S) == 0


def test_its_processes_die_with_it(start, folder):
    process = start()
    until(lambda: answers(folder))
    until(lambda: len(workers(process)) == 2)
    pids = workers(process)
    process.kill()
    process.wait()
    until(lambda: not any(alive(pid) for pid in pids))


def test_a_model_that_is_not_served_ends_it_with_the_reason(start, folder):
    (folder / "model" / "model.onnx").write_bytes(b"nonsense")
    assert start().wait(PATIENCE_S) == 3
    assert "error: model.onnx cannot be loaded" in (folder / "server.log").read_text()


def test_a_folder_is_served_once(start, folder):
    first = start("--workers", "1")
    until(lambda: answers(folder))
    assert start().wait(PATIENCE_S) == 1
    assert "is served already" in (folder / "server.log").read_text()
    assert answers(folder)
    assert first.poll() is None


def test_other_machines_are_listened_to_with_a_token_only(start, folder):
    assert start("--host", "0.0.0.0").wait(PATIENCE_S) == 1
    assert "give the endpoint a token: KUBERACER_SERVE_TOKEN" in (folder / "server.log").read_text()


def test_a_log_does_not_grow_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(supervise, "MOST_LOG", 100)
    log = tmp_path / "server.log"
    with log.open("a") as file:
        file.write("old\n" * 30)
        file.flush()
        supervise.shorten(log)
        file.write("new\n")
    assert (log.read_text(), log.with_suffix(".log.1").read_text()) == ("new\n", "old\n" * 30)
