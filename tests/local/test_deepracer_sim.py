"""The real DeepRacer client against a stand-in of the simulator, in the client's own environment (Python 3.12)."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

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
    command = [str(ENVIRONMENT), str(STAND_IN), *getattr(request, "param", [])]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


def drive(port: str, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(ENVIRONMENT), "-c", DRIVE, port]
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=120, check=False)


def test_it_drives_as_our_own_simulator_behind_it_does(stand_in: str, tmp_path: Path) -> None:
    ended = drive(stand_in, tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert "off_track" in ended.stdout


@pytest.mark.parametrize("stand_in", [["--evil"]], indirect=True)
def test_a_simulator_that_sends_pickles_is_refused(stand_in: str, tmp_path: Path) -> None:
    ended = drive(stand_in, tmp_path)
    assert "the simulator sent a pickled object" in ended.stderr
    assert not (tmp_path / "unpickled").exists()
