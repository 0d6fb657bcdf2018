"""The limited process: the same rewards as in this process, and no way out of it."""

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from kuberacer.errors import UserError
from kuberacer.reward.process import RewardProcess
from kuberacer.reward.runner import RewardRunner
from kuberacer.reward.samples import sample_states
from kuberacer.reward.source import RewardSource
from kuberacer.sim.track import load_track

TRACK = load_track("pebble")
CARS = 8
SIMPLE = "def reward_function(params):\n    return params['speed'] * params['x']\n"
LOOP = "def reward_function(params):\n    while params['x'] < 1e9:\n        pass\n    return 1.0\n"


def process(text: str, **arguments) -> RewardProcess:
    return RewardProcess(text, TRACK, CARS, **{"compile": False, "timeout_s": 5.0, **arguments})


@pytest.mark.parametrize("compiled", [False, True])
def test_rewards_equal_those_of_the_runner(compiled):
    here = RewardRunner(RewardSource.check(SIMPLE), TRACK, CARS)
    with process(SIMPLE, compile=compiled) as reward:
        assert reward.path == ("compiled" if compiled else "plain")
        for values in sample_states(TRACK, CARS):
            np.testing.assert_allclose(reward(values), here(values), rtol=1e-12)


def test_whole_params_come_through():
    text = "def reward_function(params):\n    return float(sum(len(str(v)) for v in params.values()))\n"
    here = RewardRunner(RewardSource.check(text), TRACK, CARS)
    with process(text) as reward:
        for values in sample_states(TRACK, CARS):
            assert np.array_equal(reward(values), here(values))


AMONG = (
    "def reward_function(params):\n    i = params['closest_objects'][1]\n    x, y = params['objects_location'][i]\n"
    "    return x + 2 * y + params['objects_speed'][i]\n"
)


@pytest.mark.parametrize("compiled", [False, True])
@pytest.mark.parametrize("text", [AMONG, "def reward_function(params):\n    return float(len(str(params)))\n"])
def test_objects_come_through(text, compiled):
    here = RewardRunner(RewardSource.check(text), TRACK, CARS, objects=7)
    with process(text, compile=compiled, objects=7) as reward:
        assert reward.path == ("compiled" if compiled and text == AMONG else "plain")
        for values in sample_states(TRACK, CARS, 7):
            np.testing.assert_allclose(reward(values), here.plain(values), rtol=1e-12)


def test_an_object_where_there_is_none_is_named():
    with process(AMONG) as reward, pytest.raises(UserError, match=r"reward_function.py:3: IndexError"):
        reward(next(sample_states(TRACK, CARS)))


def test_rewards_belong_to_the_caller():
    with process(SIMPLE) as reward:
        values = next(sample_states(TRACK, CARS))
        first = reward(values)
        kept = first.copy()
        values.speed[:] = 0.0
        reward(values)
        assert np.array_equal(first, kept)


def test_random_numbers_follow_the_seed():
    text = "import random, numpy\ndef reward_function(params):\n    return random.random() + numpy.random.rand()\n"
    values = next(sample_states(TRACK, CARS))
    results = []
    for seed in (1, 1, 2):
        with process(text, seed=seed) as reward:
            results.append(reward(values))
    assert np.array_equal(results[0], results[1])
    assert not np.array_equal(results[0], results[2])


def test_error_during_training_names_line_and_situation():
    text = (
        "def reward_function(params):\n    if params['steps'] == 99:\n        raise ValueError('no')\n    return 1.0\n"
    )
    with process(text) as reward:
        values = next(sample_states(TRACK, CARS))
        values.steps[:] = 1
        reward(values)
        values.steps[3] = 99
        with pytest.raises(UserError, match=r"reward_function.py:3: ValueError: no, for car 3 at step 99"):
            reward(values)


@pytest.mark.parametrize("compiled", [False, True])
def test_deadline(compiled):
    text = LOOP.replace("< 1e9", "== 7.0")
    with process(text, timeout_s=1.0, compile=compiled) as reward:
        values = next(sample_states(TRACK, CARS))
        reward(values)
        values.x[2] = 7.0
        child = reward._process.pid
        with pytest.raises(UserError, match=r"reward_function.py:\d+: reward_function did not finish within 1 s"):
            reward(values)
        assert not psutil.pid_exists(child)


def test_no_process_is_left():
    reward = process(SIMPLE)
    child = reward._process.pid
    reward.close()
    reward.close()
    assert not psutil.pid_exists(child)
    with pytest.raises(UserError):
        process("def reward_function(params):\n    return 1.0\n1 / 0\n")
    assert not [c for c in psutil.Process().children() if "kuberacer.reward.child" in " ".join(c.cmdline())]


@pytest.mark.parametrize("text", [SIMPLE, LOOP])
def test_the_child_dies_with_its_parent(text):
    code = f"""
from kuberacer.reward.process import RewardProcess
from kuberacer.reward.samples import sample_states
from kuberacer.sim.track import load_track
track = load_track("pebble")
reward = RewardProcess({text!r}, track, 2, compile=False, timeout_s=60)
print(reward._process.pid, flush=True)
while True:
    reward(next(sample_states(track, 2)))
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    child = psutil.Process(int(parent.stdout.readline()))
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    child.wait(timeout=30)


def test_environment_has_no_credentials(monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very secret")
    text = "import os\nassert not [k for k in os.environ if 'AWS' in k], 'found'\n" + SIMPLE
    process(text).close()


def test_extra_paths(tmp_path):
    (tmp_path / "lanes.py").write_text("def weight(x):\n    return 2.0 * x\n")
    text = "import lanes\ndef reward_function(params):\n    return lanes.weight(params['x'])\n"
    values = next(sample_states(TRACK, CARS))
    with process(text, extra_paths=[tmp_path]) as reward:
        assert np.array_equal(reward(values), 2 * values.x)
    with pytest.raises(UserError, match=r"reward_function.py:1: ModuleNotFoundError"):
        process(text)
    with pytest.raises(UserError, match="folder of the reward's modules is gone"):
        process(text, extra_paths=[tmp_path / "nowhere"])


def test_output_is_shown_and_cut(capsys):
    text = "def reward_function(params):\n    print('x' * 1000)\n    return 1.0\n"
    with process(text) as reward:
        values = next(sample_states(TRACK, CARS))
        for _ in range(20):
            reward(values)
    shown = capsys.readouterr().out
    assert "the rest is left out" in shown
    assert 15_000 < len(shown) < 20_000


def test_closed_over_threads():
    """The process belongs to the thread that made it; another one may use it meanwhile."""
    with process(SIMPLE) as reward:
        values = next(sample_states(TRACK, CARS))
        results: list[np.ndarray] = []
        thread = threading.Thread(target=lambda: results.append(reward(values)))
        thread.start()
        thread.join()
        assert np.array_equal(results[0], reward(values))


def test_forged_answers_and_control_characters(capsys):
    forge = """
import os
def reward_function(params):
    for descriptor in range(3, 1024):
        try:
            os.write(descriptor, b"m\\x03\\x00\\x00\\x00abc")
        except OSError:
            pass
    return 1.0
"""
    with process(forge) as reward, pytest.raises(UserError, match="its process gives broken"):
        reward(next(sample_states(TRACK, CARS)))
    text = "def reward_function(params):\n    print('\\x1b[2J')\n    raise ValueError('\\x1b[31m')\n"
    with process(text) as reward, pytest.raises(UserError, match=r"ValueError: \?\[31m"):
        reward(next(sample_states(TRACK, CARS)))
    assert capsys.readouterr().out == "?[2J\n"


# The kernel's limits by themselves, without Python's guard in front of them.
LIMITED = """
import os, socket, subprocess, sys, resource, ctypes, signal
from kuberacer.reward import kernel_limits
readable = [sys.prefix, sys.base_prefix, "/usr", "/lib", "/lib64"]
held = [kernel_limits.limit_resources(256, None), kernel_limits.limit_files(readable)]
held.append(kernel_limits.limit_system_calls())
try:
    {action}
except (OSError, MemoryError, ValueError) as error:
    print(type(error).__name__, *map(int, held))
else:
    print("done", *map(int, held))
"""
ACTIONS = {
    "socket": ("socket.socket()", 2),
    "unix socket": ("socket.socketpair()", 2),
    "program": ("subprocess.run(['/bin/true'])", 2),
    "fork": ("os.fork()", 2),
    "write": ("open('{tmp}/new', 'w')", 2),
    "write over": ("os.open('{tmp}/old', os.O_RDWR)", 2),
    "remove": ("os.remove('{tmp}/old')", 2),
    "rename": ("os.rename('{tmp}/old', '{tmp}/new')", 2),
    "make a folder": ("os.mkdir('{tmp}/new')", 2),
    "link": ("os.symlink('/etc', '{tmp}/new')", 2),
    "truncate": ("os.truncate('{tmp}/old', 0)", 2),
    "permissions": ("os.chmod('{tmp}/old', 0o777)", 2),
    "signal others": ("os.kill({parent}, 0)", 2),
    "loosen limits": ("resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))", 2),
    "read": ("open('{tmp}/old').read()", 1),
    "list a folder": ("os.listdir('{tmp}')", 1),
    "the parent's environment": ("open('/proc/{parent}/environ').read()", 1),
    "memory": ("bytearray(1 << 29)", 0),
}


@pytest.mark.parametrize("name", ACTIONS)
@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_kernel_limit(name, tmp_path):
    (tmp_path / "old").write_text("old")
    action, which = ACTIONS[name]
    code = LIMITED.format(action=action.format(tmp=tmp_path, parent=os.getpid()))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    result, *held = ended.stdout.split()
    if held[which] == "0":
        pytest.skip("this kernel or container does not allow the limit")
    assert result in ("PermissionError", "MemoryError", "FileNotFoundError"), result
    assert (tmp_path / "old").read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["old"]


# What differs for a program that takes the process' place, and for a compiler.
OTHER_PURPOSES = {
    ("program", "socket.socket()"): "PermissionError",
    ("program", "os.fork()"): "PermissionError",
    ("program", "os.kill({parent}, 0)"): "PermissionError",
    ("program", "os.open('{tmp}/old', os.O_RDWR)"): "PermissionError",
    ("program", "os.execv('/bin/echo', ['echo', 'ran', '1', '1', '1'])"): "ran",
    ("build", "socket.socket()"): "PermissionError",
    ("build", "os.kill({parent}, 0)"): "PermissionError",
    ("build", "os._exit(0) if os.fork() == 0 else os.wait()"): "done",
}


@pytest.mark.parametrize(("purpose", "action"), OTHER_PURPOSES)
@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_system_calls_by_purpose(purpose, action, tmp_path):
    (tmp_path / "old").write_text("old")
    # The files are free here, so that the system calls' own limit shows.
    code = LIMITED.replace("kernel_limits.limit_files(readable)", "True")
    code = code.replace("limit_system_calls()", f"limit_system_calls({purpose!r})")
    code = code.format(action=action.format(tmp=tmp_path, parent=os.getpid()))
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    result, *held = ended.stdout.split()
    if held[2] == "0":
        pytest.skip("this kernel or container does not allow the limit")
    assert result == OTHER_PURPOSES[purpose, action]


def test_limits_leave_python_working():
    code = LIMITED.format(action="import decimal, threading; t = threading.Thread(target=print); t.start(); t.join()")
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "done" in ended.stdout, ended.stderr


def test_idle_process_takes_no_processor_time():
    with process(SIMPLE) as reward:
        reward(next(sample_states(TRACK, CARS)))
        child = psutil.Process(reward._process.pid)
        before = sum(child.cpu_times()[:2])
        time.sleep(0.5)
        assert sum(child.cpu_times()[:2]) - before < 0.1


def test_runs_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    process(SIMPLE).close()
    assert Path.cwd() == tmp_path
