"""The real DeepRacer client against a stand-in of the simulator, in the client's own environment (Python 3.12)."""

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kuberacer.store.client import ObjectStore
from kuberacer.store.server import free_ports
from tests.local.distributed import QUOTA, RACE, RHYTHM, ROOT, Training, assert_exact, running_store
from tests.local.test_race import STAGES, Run, statuses
from tests.unit.coach.presets import small_preset

ENVIRONMENT = Path(sys.prefix).parent / "deepracer" / "bin" / "python"
STAND_IN = Path(__file__).with_name("deepracer_stand_in.py")
pytestmark = pytest.mark.skipif(not ENVIRONMENT.exists(), reason="make .envs/deepracer/.ready (needs Python 3.12)")

Ended = subprocess.CompletedProcess[str]
DRIVE = """
import sys
import numpy as np
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.rollout.deepracer_sim import connect
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import load_track

track, metadata = load_track("kidney"), ModelMetadata.default("clipped_ppo")
sim = connect("127.0.0.1:" + sys.argv[1], track, metadata)
own = RaceSim(track, 1)
sim.reset()
own.reset()
rng = np.random.default_rng(0)
ends = []
while len(ends) < 3:
    steering, speed = metadata.decode(rng.integers(len(metadata.action_space), size=1))
    sim.advance(steering, speed)
    own.advance(steering, speed)
    own.render()
    assert np.array_equal(sim.frames, own.frames), "the pictures differ"
    assert sim.values.x[0] == own.values.x[0] and sim.values.progress[0] == own.values.progress[0]
    assert (sim.terminated[0], sim.truncated[0]) == (own.terminated[0], own.truncated[0])
    if sim.terminated[0] or sim.truncated[0]:
        assert sim.status_name(0) == own.status_name(0)
        ends.append(sim.status_name(0))
        sim.reset()
        own.reset()
sim.close()
print(ends)
"""


FACE = """
import sys
import numpy as np
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import run_main
from kuberacer.rollout.deepracer_sim import connect
from kuberacer.sim.track import load_track

def main():
    sim = connect(sys.argv[1], load_track("kidney"), ModelMetadata.default("clipped_ppo"))
    sim.reset()
    print("drives", flush=True)
    cut = 0
    for step in range(int(sys.argv[2])):
        sim.advance(np.zeros(1), np.ones(1))
        if sim.truncated[0] or sim.terminated[0]:
            cut += sim.returns
            print(sim.status_name(0), int(sim.values.steps[0]), sim.returns, flush=True)
            sim.reset()
            assert sim.values.steps[0] == 1 and sim.frames.any()
    print("drove on", cut, flush=True)
    sim.close()

run_main(main)
"""


@pytest.fixture
def stand_in(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    with contextlib.ExitStack() as stack:
        yield simulator(stack, tmp_path, *getattr(request, "param", []))


def simulator(stack: contextlib.ExitStack, folder: Path, *arguments: str, track: str = "kidney") -> str:
    """Start a stand-in; returns its port."""
    process = started(stack, [STAND_IN, track, *arguments], cwd=folder)
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_it_joins_a_training_as_its_only_worker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    port = free_ports()["s3.port"]
    monkeypatch.setenv("KUBERACER_REDIS_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERACER_REDIS_PORT", str(port))
    monkeypatch.setenv("KUBERACER_REDIS_PASSWORD", "a password of this test")
    with running_store(tmp_path / "store") as store, contextlib.ExitStack() as stack:
        assert store.settings is not None
        ObjectStore(store.settings).put_bytes("r/rollouts/scale.json", b'{"workers": 0}')  # after the first iteration
        training = Training.start(tmp_path / "train", store, 1, steps=3 * QUOTA, **{"cars-per-worker": 1})
        stack.callback(training.process.wait)
        stack.callback(training.process.kill)
        training.wait_for("iteration 1 ")
        address = f"127.0.0.1:{simulator(stack, tmp_path, track=str(tmp_path / 'train' / 'track.npy'))}"
        worker = ["-m", "kuberacer.stages.rollout_worker", "--run", "r", "--index", "9", "--simulator", address]
        started(stack, worker, env=store.environment())
        assert training.end() == 0, training.lines
        assert_exact(training, 3)


def started(stack: contextlib.ExitStack, arguments: list, **options: Any) -> subprocess.Popen[str]:
    """A Python of the client's environment, killed at the end of the stack."""
    command = [str(ENVIRONMENT), *map(str, arguments)]
    paths = {"PYTHONPATH": str(ROOT)}
    options = {"cwd": ROOT, **options, "env": {**os.environ, **options.get("env", {}), **paths}}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, **options)
    assert process.stdout is not None
    for end in (process.stdout.close, process.wait, process.kill):
        stack.callback(end)
    return process


def drive(port: str, folder: Path, python: Path = ENVIRONMENT) -> Ended:
    return answered([str(python), "-c", DRIVE, port], folder)


def face(
    port: str, folder: Path, steps: int = 40, start_s: str = "60", answer_s: str = "2"
) -> subprocess.CompletedProcess[str]:
    """Drive in the simulator from the trainer's environment, through the bridge."""
    return answered([str(RACE), "-c", FACE, f"127.0.0.1:{port}", str(steps)], folder, start_s, answer_s)


def answered(
    command: list[str], folder: Path, start_s: str = "60", answer_s: str = "30"
) -> subprocess.CompletedProcess[str]:
    deadlines = {"KUBERACER_SIMULATOR_START_S": start_s, "KUBERACER_SIMULATOR_ANSWER_S": answer_s}
    environment = {**os.environ, **deadlines, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=folder, timeout=300, check=False, env=environment
    )  # fmt: skip


@pytest.mark.parametrize("python", [ENVIRONMENT, RACE], ids=["direct", "bridged"])
def test_it_drives_as_our_own_simulator_behind_it_does(stand_in: str, tmp_path: Path, python: Path) -> None:
    ended = drive(stand_in, tmp_path, python)
    assert ended.returncode == 0, ended.stderr
    assert "off_track" in ended.stdout


@pytest.mark.parametrize("stand_in", [["--evil"]], indirect=True)
@pytest.mark.parametrize("python", [ENVIRONMENT, RACE], ids=["direct", "bridged"])
def test_a_simulator_that_sends_pickles_is_refused(stand_in: str, tmp_path: Path, python: Path) -> None:
    ended = drive(stand_in, tmp_path, python)
    assert "the simulator sent a pickled object" in ended.stderr
    assert not (tmp_path / "unpickled").exists()


@pytest.mark.parametrize(
    ("stand_in", "deadline", "cause"),
    [
        (["--silent", "1"], "3", "has not answered for 3 s"),
        (["--endless"], "3", "has not begun an episode for 3 s"),
        (["--garbage", "1"], "60", "is no answer of the protocol of deepracer 0.1.x"),
        (["--other"], "60", "it lacks _next_state, _game_over, _goal, info"),
        (["--older"], "60", "it lacks info.episode_status"),
    ],
    indirect=["stand_in"],
    ids=["silent", "endless", "garbage", "other", "older"],
)
def test_what_is_no_such_simulator_is_named(stand_in: str, tmp_path: Path, deadline: str, cause: str) -> None:
    ended = face(stand_in, tmp_path, start_s=deadline)
    assert ended.returncode == 1, ended.stderr
    error, remedy = ended.stderr.strip().splitlines()[-2:]
    assert error.startswith("error: "), ended.stderr
    assert cause in error
    assert remedy.startswith("remedy: ")
    assert "drives" not in ended.stdout


@pytest.mark.parametrize("stand_in", [["--garbage", "9"]], indirect=True)
def test_garbage_in_an_episode_is_an_error(stand_in: str, tmp_path: Path) -> None:
    ended = face(stand_in, tmp_path)
    assert (ended.returncode, ended.stdout.split()) == (1, ["drives"])
    assert "is no answer of the protocol" in ended.stderr


def test_nobody_there_is_an_error_after_the_deadline(tmp_path: Path) -> None:
    ended = face(str(free_ports()["s3.port"]), tmp_path, start_s="2")
    assert ended.returncode == 1
    assert "has not answered for 2 s" in ended.stderr


def test_driving_goes_on_after_a_simulator_that_died_has_come_back(tmp_path: Path) -> None:
    """The episode in which it died is cut short, as by time_up, and counts no step that was not driven."""
    with contextlib.ExitStack() as stack:
        port = simulator(stack, tmp_path, "--dies", "12")
        deadlines = {"KUBERACER_SIMULATOR_START_S": "60", "KUBERACER_SIMULATOR_ANSWER_S": "2"}
        driver = subprocess.Popen(
            [str(RACE), "-c", FACE, f"127.0.0.1:{port}", "30"],
            stdout=subprocess.PIPE, text=True, env={**os.environ, **deadlines, "PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert driver.stdout is not None
        for end in (driver.stdout.close, driver.wait, driver.kill):
            stack.callback(end)
        assert driver.stdout.readline() == "drives\n"
        assert simulator(stack, tmp_path, port) == port
        said = driver.stdout.read().splitlines()
        assert driver.wait(timeout=60) == 0
        assert said[0] == "time_up 12 1"
        assert said[-1].startswith("drove on")


@pytest.mark.parametrize("stand_in", [["--silent", "9"]], indirect=True)
def test_a_simulator_that_stays_away_is_an_error(stand_in: str, tmp_path: Path) -> None:
    ended = face(stand_in, tmp_path, start_s="5", answer_s="1")
    assert (ended.returncode, ended.stdout.split()) == (1, ["drives"])
    assert "has not answered for 5 s" in ended.stderr


@pytest.mark.parametrize("stand_in", [["--clock", "40"]], indirect=True)
def test_the_simulator_sets_the_pace(stand_in: str, tmp_path: Path) -> None:
    before = time.monotonic()
    assert face(stand_in, tmp_path, steps=60).returncode == 0
    assert time.monotonic() - before >= 60 / 40


def test_a_whole_race_is_run_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trained by one rollout worker and evaluated in the simulator that KUBERACER_SIMULATORS names."""
    (tmp_path / "preset.py").write_text(small_preset("clipped_ppo", RHYTHM))
    with contextlib.ExitStack() as stack:
        port = simulator(stack, tmp_path, track="pebble")
        monkeypatch.setenv("KUBERACER_SIMULATORS", f"127.0.0.1:{port}")
        arguments = ["--minutes", "0", "--steps", str(2 * QUOTA), "--trials", "2", "--track", "pebble"]
        arguments += ["--preset", str(tmp_path / "preset.py"), "--cars-per-worker", "1"]
        run = Run.start(tmp_path / "out", *arguments, "--rollout-workers", "1")
        stack.callback(run.process.wait)
        stack.callback(run.process.kill)
        assert run.end() == 0, run.errors
        assert statuses(run.record) == dict.fromkeys(STAGES, ("succeeded", False))
        latest = tmp_path / "out" / "latest"
        metrics = json.loads((latest / "evaluation_metrics.json").read_text())["metrics"]
        assert [entry["trial"] for entry in metrics] == [1, 2]
        assert {entry["reset_count"] for entry in metrics} == {0}
        assert (latest / "video.mp4").stat().st_size > 0
        log = (latest / "logs" / "evaluate.log").read_text()
        assert f"evaluates in the simulator at 127.0.0.1:{port}" in log
        refused = Run.start(tmp_path / "other", *arguments, "--rollout-workers", "2")
        stack.callback(refused.process.wait)
        stack.callback(refused.process.kill)
        assert refused.end() == 1
        assert any("names 1 simulators of one car each" in line for line in refused.errors), refused.errors
