"""The real DeepRacer client against a stand-in of the simulator, in the client's own environment (Python 3.12)."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kuberacer.store.client import ObjectStore
from kuberacer.store.server import free_ports
from tests.local.distributed import QUOTA, ROOT, Training, assert_exact, running_store

ENVIRONMENT = Path(sys.prefix).parent / "deepracer" / "bin" / "python"
STAND_IN = Path(__file__).with_name("deepracer_stand_in.py")
pytestmark = pytest.mark.skipif(not ENVIRONMENT.exists(), reason="make .envs/deepracer/.ready (needs Python 3.12)")

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


@pytest.fixture
def stand_in(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    command = [str(ENVIRONMENT), str(STAND_IN), *getattr(request, "param", ["kidney"])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


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
        simulator = started(stack, [STAND_IN, tmp_path / "train" / "track.npy"])
        assert simulator.stdout is not None
        address = f"127.0.0.1:{simulator.stdout.readline().strip()}"
        worker = ["-m", "kuberacer.stages.rollout_worker", "--run", "r", "--index", "9", "--simulator", address]
        started(stack, worker, env={**os.environ, **store.environment()})
        assert training.end() == 0, training.lines
        assert_exact(training, 3)


def started(stack: contextlib.ExitStack, arguments: list, **options: Any) -> subprocess.Popen[str]:
    """A Python of the client's environment, killed at the end of the stack."""
    command = [str(ENVIRONMENT), *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, **options)
    assert process.stdout is not None
    for end in (process.stdout.close, process.wait, process.kill):
        stack.callback(end)
    return process


def drive(port: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(ENVIRONMENT), "-c", DRIVE, port]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)


def test_it_drives_as_our_own_simulator_behind_it_does(stand_in: str, tmp_path: Path) -> None:
    ended = drive(stand_in, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "off_track" in ended.stdout


@pytest.mark.parametrize("stand_in", [["kidney", "--evil"]], indirect=True)
def test_a_simulator_that_sends_pickles_is_refused(stand_in: str, tmp_path: Path) -> None:
    ended = drive(stand_in, tmp_path)
    assert "the simulator sent a pickled object" in ended.stderr
    assert not (tmp_path / "unpickled").exists()
