"""A tiny training of the whole pipeline, watched from its first iteration to its end."""

import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.processes import PATIENCE_S, Watched

WATCH = Path(sys.prefix).parent / "watch" / "bin" / "python"
SHORT = ("--cars", "8", "--hyperparameters", '{"rollout_steps": 768}')
TINY = ("--minutes", "0", "--steps", "1536", *SHORT, "--trials", "1", "--resets", "1", "--track", "pebble")


def started(command: list[str]) -> Watched:
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    watched = Watched(process=process)
    Thread(target=lambda: watched.lines.extend(line.rstrip() for line in process.stdout or ()), daemon=True).start()
    return watched


@pytest.fixture
def processes() -> Iterator[list[Watched]]:
    """None of them outlives the test."""
    running: list[Watched] = []
    yield running
    for each in reversed(running):
        each.process.terminate()
        each.process.wait(60)


def events(address: str) -> Iterator[tuple[str, Any]]:
    """(event, data) of a run's stream."""
    name = ""
    with urllib.request.urlopen(address, timeout=PATIENCE_S) as answer:
        for line in answer:
            word, _, value = line.decode().rstrip("\n").partition(": ")
            name = value if word == "event" else name
            if word == "data":
                yield name, json.loads(value)


@pytest.mark.timeout(1800)
def test_a_training_is_watched_until_it_has_finished(tmp_path: Path, processes: list[Watched]) -> None:
    out = tmp_path / "out"
    run = started([sys.executable, "-u", "-m", "kuberacer.run.cli", "run", "--out", str(out), *TINY])
    processes.append(run)
    run.wait_for("run pebble-")
    server = started([str(WATCH), "-u", "-m", "kuberacer.watch", "--out", str(out), "--port", "0"])
    processes.append(server)
    server.wait_for("live view: ")
    address = server.lines[0].removeprefix("live view: ").rstrip("/")

    iterations, places, pictures, lines, states = set(), set(), set(), [], []
    deadline = time.monotonic() + 4 * PATIENCE_S
    for name, data in events(f"{address}/api/runs/latest/events"):
        assert time.monotonic() < deadline, (iterations, len(places), states, run.lines)
        if name == "history":
            iterations |= {row[data["columns"].index("iteration")] for row in data["rows"]}
        elif name == "live":
            places |= {(car["x"], car["y"]) for car in data["cars"][:1]}
        elif name == "camera":
            pictures.add(data["png"])
        elif name == "log":
            lines += data["lines"]
        elif name == "state":
            states.append(data["state"])
            if data["state"] != "running":
                break
    assert run.end() == 0, run.lines
    assert states[-1] == "finished"
    assert iterations == {1, 2}
    assert len(places) > 1  # the first car has moved
    assert len(pictures) > 1
    assert any("iteration 1" in line for line in lines)

    detail = json.loads(urllib.request.urlopen(f"{address}/api/runs/latest").read())
    assert detail["track_outline"]["name"] == "pebble"
    assert [row[0] for row in detail["history"]["rows"]] == [1, 2]
    assert {stage["state"] for stage in detail["stages"]} == {"succeeded"}
    assert detail["evaluation"]["trials"] == len(detail["evaluation"]["rows"]) == 1
    assert {"report", "video", "model", "metrics", "trace"} <= {file["kind"] for file in detail["files"]}
    report = urllib.request.urlopen(f"{address}/api/runs/latest/files/report.html")
    assert report.headers["content-security-policy"].startswith("sandbox")
    assert b"<html" in report.read()
