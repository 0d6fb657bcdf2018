"""The examples in other languages give what the Python one gives, on the same steps, to the last bit."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from kuberacer.reward.open_reward import Reward, language, open_reward, readable
from kuberacer.reward.samples import Lane, drive_lap, sample_states
from kuberacer.sim.track import load_track
from kuberacer.stages.reward_input import read_reward

REWARDS = Path(__file__).parents[3] / "rewards"
LANGUAGES = REWARDS / "languages"
TRACK = load_track("pebble")
CARS = 8
NEEDS = {"node": "node", "c": "cc"}


def example(name: str) -> str:
    program = NEEDS[name]
    if shutil.which(program) is None:
        pytest.skip(f"there is no {program} on this machine")
    return read_reward(str(LANGUAGES / f"{name}.yaml"))[0]


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """A document that names the example server."""
    command = [sys.executable, str(LANGUAGES / "http_server.py"), "--port", "0"]
    command += ["--reward", str(REWARDS / "follow_center_line.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        address = process.stdout.readline().strip()
        yield f"kuberacer_reward: 1\nhttp: {address}\n"
        process.kill()


def assert_equal_to_python(reward: Reward, objects: int = 0) -> None:
    text = (REWARDS / "follow_center_line.py").read_text()
    with open_reward(text, TRACK, CARS, objects=objects, compile=False) as python:
        for values in sample_states(TRACK, CARS, objects):
            np.testing.assert_array_equal(reward(values), python(values))
        for _, values in drive_lap(TRACK, [Lane(across) for across in np.linspace(-1.4, 1.4, CARS)], 20, None, objects):
            np.testing.assert_array_equal(reward(values), python(values))


@pytest.mark.parametrize(("name", "said"), [("node", "JavaScript"), ("c", "C")])
def test_programs_give_what_python_gives(name: str, said: str) -> None:
    text = example(name)
    with open_reward(text, TRACK, CARS, objects=2) as reward:
        assert reward.path == said == language(text)
        assert_equal_to_python(reward, objects=2)


def test_a_server_gives_what_python_gives(server: str) -> None:
    with open_reward(server, TRACK, CARS) as reward:
        assert reward.path == "HTTP" == language(server)
        assert_equal_to_python(reward)


def test_what_leaves_the_first_stage_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The C example is built once: neither its sources' folder nor a compiler is needed any more."""
    text = example("c")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("KUBERACER_CACHE", str(tmp_path / "elsewhere"))
    with open_reward(text, TRACK, CARS) as reward:
        assert reward(next(sample_states(TRACK, CARS))).shape == (CARS,)
    assert "static double reward_function" in readable(text)
    assert "--- reward (" in readable(text)
