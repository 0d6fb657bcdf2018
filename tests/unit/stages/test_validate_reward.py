"""Every fault of a reward function ends the stage with file, line and cause, in seconds; in real processes."""

import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from kuberacer.sim.track import load_track
from kuberacer.store.client import ObjectStore
from tests.seaweed import seaweed

TAIL = "\n\n\ndef reward_function(params):\n    return 1.0\n"
HEAD = "import math\n\n\ndef reward_function(params):\n"  # the body begins on line 5

FAULTS = {
    # name: (source, line, words of the cause)
    "syntax": ("def reward_function(params):\n    return 1 +\n", 2, "syntax error"),
    "indentation": ("def reward_function(params):\nreturn 1.0\n", 2, "syntax error"),
    "return outside": ("def reward_function(params):\n    return 1.0\nreturn 2.0\n", 3, "syntax error"),
    "empty": ("", 1, "no function reward_function"),
    "missing": ("def rewards(params):\n    return 1.0\n", 1, "no reward_function, but a function rewards"),
    "no argument": ("\ndef reward_function():\n    return 1.0\n", 2, "wrong signature reward_function()"),
    "two arguments": ("def reward_function(params, more):\n    return 1.0\n", 1, "wrong signature"),
    "unknown key": (HEAD + "    return params['distance_from_centre']\n", 5, "no key 'distance_from_centre'"),
    "returns nothing": (HEAD + "    x = 1\n    if x:\n        return\n", 7, "returned None (NoneType), not a number"),
    "returns text": (HEAD + "    return '1.0'\n", 5, "returned '1.0' (str), not a number"),
    "returns list": (HEAD + "    return [1.0]\n", 5, "not a number"),
    "NaN": (HEAD + "    return math.nan * params['speed']\n", 5, "nan (float), which is not within ±100000"),
    "infinite": (HEAD + "    return float('inf')\n", 5, "inf (float), which is not within"),
    "beyond the limit": (HEAD + "    return -100000.5\n", 5, "-100000.5 (float), which is not within"),
    "huge integer": (HEAD + "    return 10 ** 400\n", 5, "which is not within"),
    "only off the road": (HEAD + "    return 1e9 if params['is_offtrack'] else 1.0\n", 5, "1000000000"),
    "only at the end": (HEAD + "    return 1.0 / (params['progress'] - 100.0)\n", 5, "ZeroDivisionError"),
    "only at the start": (HEAD + "    return 1.0 / params['progress']\n", 5, "ZeroDivisionError"),
    "only reversed": (HEAD + "    assert not params['is_reversed']\n    return 1.0\n", 5, "AssertionError"),
    "only among objects": (HEAD + "    return 1 / (not params['objects_location'])\n", 5, "ZeroDivisionError"),
    "exception": (HEAD + "    return params['waypoints'][10**6][0]\n", 5, "IndexError: list index out of range"),
    "exception in a helper": (
        "def help(v):\n    return v.missing\n\n\ndef reward_function(params):\n    return help(params['x'])\n",
        2,
        "AttributeError",
    ),
    "exception at the top": ("TABLE = [1.0][3]" + TAIL, 1, "IndexError"),
    "recursion": ("def reward_function(params):\n    return reward_function(params)\n", 2, "RecursionError"),
    "endless loop": (HEAD + "    while True:\n        pass\n", (5, 6), "did not finish"),
    "endless loop that catches": (
        HEAD + "    while True:\n        try:\n            math.sqrt(2)\n        except:\n            pass\n",
        (5, 6, 7, 8, 9),
        "did not finish",
    ),
    "endless loop at the top": ("while True:\n    pass" + TAIL, (1, 2), "did not"),
    "endless in C": (HEAD + "    return float(len(str(7 ** (10 ** 8))))\n", 5, "did not finish"),
    "memory bomb": (HEAD + "    hoard = []\n    while True:\n        hoard.append(bytes(1 << 24))\n", 7, "Memory"),
    "one big block": (HEAD + "    return len(bytearray(1 << 40))\n", 5, "MemoryError"),
    "memory bomb at the top": ("BLOCK = 'x' * (1 << 36)" + TAIL, 1, "Memory"),
    "exit": (HEAD + "    exit(0)\n", 5, "SystemExit: 0 ends the program"),
    "raises SystemExit": (HEAD + "    raise SystemExit\n", 5, "ends the program"),
    "os._exit": ("import os\n\n\ndef reward_function(params):\n    os._exit(0)\n", 1, "import of 'os' is not allowed"),
    "sys.exit": ("import sys\n\n\ndef reward_function(params):\n    sys.exit()\n", 1, "import of 'sys' is not allowed"),
    "socket": ("import socket" + TAIL, 1, "import of 'socket' is not allowed"),
    "time": (HEAD + "    import time\n    return time.time()\n", 5, "import of 'time' is not allowed"),
    "relative": ("from . import x" + TAIL, 1, "not allowed"),
    "__import__": (HEAD + "    return __import__('os').getpid()\n", 5, "import of 'os' is not allowed"),
    "missing module": ("import scipy.nothing" + TAIL, 1, "ModuleNotFoundError"),
    "opens a file": (HEAD + "    return len(open('/etc/passwd').read())\n", 5, "may not read files"),
    "writes a file": (HEAD + "    open('/tmp/kuberacer-was-here', 'w')\n    return 1.0\n", 5, "may not write files"),
    "output flood": (HEAD + "    while True:\n        print('x' * 100)\n", 6, "prints more than"),
    "no text": ("def reward_function(params):\n    return 1.0\n\0", 1, ""),
    "not a function": ("reward_function = 3.0\n", 1, "not a function"),
}  # fmt: skip


def run_stage(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "kuberacer.stages.validate_reward", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(fault, tmp_path):
    source, line, words = FAULTS[fault]
    path = tmp_path / "my_reward.py"
    path.write_text(source)
    ended = run_stage("--reward", str(path), "--track", "pebble")
    assert ended.returncode == 1, ended.stdout + ended.stderr
    cause, remedy = ended.stderr.splitlines()
    lines = line if isinstance(line, tuple) else (line,)
    assert cause.startswith(tuple(f"error: my_reward.py:{line}: " for line in lines))
    assert words in cause
    assert remedy.startswith("remedy: ")
    assert ended.stdout == ""
    assert not Path("/tmp/kuberacer-was-here").exists()


GOOD = """
    def reward_function(params):
        return float(params["speed"] * (1.0 - params["distance_from_center"] / params["track_width"]))
"""


def test_good_reward_and_its_outputs(tmp_path):
    path = tmp_path / "good.py"
    path.write_text(textwrap.dedent(GOOD))
    out = {
        name: tmp_path / "made" / name
        for name in ("reward_file", "track_file", "track_name", "reward_map", "reward_map_png")
    }
    flags = [part for name, file in out.items() for part in (f"--{name.replace('_', '-')}", str(file))]
    ended = run_stage("--reward", str(path), "--track", "hairpin", *flags)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("good.py on hairpin: min ")
    assert "runs compiled" in ended.stdout
    assert out["reward_file"].read_text() == path.read_text()
    assert out["track_name"].read_text() == "hairpin"
    assert np.array_equal(np.load(out["track_file"]), load_track("hairpin").route())
    assert out["reward_map_png"].read_bytes().startswith(b"\x89PNG")
    page = out["reward_map"].read_text()
    assert "data:image/png;base64," in page
    assert "good.py on hairpin" in page
    assert "http://" not in page
    assert "https://" not in page


def test_source_as_text_and_a_route_file(tmp_path):
    route = tmp_path / "mine.npy"
    np.save(route, load_track("sprint").route())
    source = "import random\ndef reward_function(params):\n    return random.random()"
    ended = run_stage("--reward", source, "--track", str(route))
    assert ended.returncode == 0, ended.stderr
    assert "reward_function.py on mine" in ended.stdout
    assert "plain Python" in ended.stdout


def test_a_source_may_have_a_name(monkeypatch):
    monkeypatch.setenv("KUBERACER_REWARD_NAME", "/home/me/fast.py")
    ended = run_stage("--reward", "def reward_function(params): return 1 / 0", "--track", "pebble")
    assert ended.stderr.startswith("error: fast.py:1: ZeroDivisionError")


def test_constant_reward_is_warned_of():
    ended = run_stage("--reward", "def reward_function(params): return 1.0", "--track", "pebble")
    assert ended.returncode == 0
    assert "the same everywhere" in ended.stdout


def test_allowed_imports_can_be_more():
    source = "import time\ndef reward_function(params):\n    return time.time() % 1"
    assert run_stage("--reward", source, "--track", "pebble").returncode == 1
    ended = run_stage("--reward", source, "--track", "pebble", "--allowed-imports", "time, json")
    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("call", ["os.kill(os.getpid(), 9)", "os.abort()"])
def test_a_function_that_kills_itself(call):
    source = f"import os\ndef reward_function(params):\n    {call}\n"
    ended = run_stage("--reward", source, "--track", "pebble", "--allowed-imports", "os")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: reward_function.py:3: ")


def test_os_exit_is_found_with_its_line():
    source = "import os\ndef reward_function(params):\n    os._exit(0)\n"
    ended = run_stage("--reward", source, "--track", "pebble", "--allowed-imports", "os")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: reward_function.py:3: SystemExit: os._exit(0)")


def test_what_is_printed_is_shown():
    source = "def reward_function(params):\n    if params['steps'] == 1: print('hello')\n    return params['x']"
    ended = run_stage("--reward", source, "--track", "pebble")
    assert "hello" in ended.stdout


def test_faults_of_the_other_inputs(tmp_path):
    source = "def reward_function(params): return params['x']"
    for reward, track, words in [
        (source, "nowhere", "neither one of ours"),
        (str(tmp_path / "no.py"), "pebble", "cannot be read: No such file"),
        (source, str(tmp_path), "0 route files"),
    ]:
        ended = run_stage("--reward", reward, "--track", track)
        assert ended.returncode == 1
        assert words in ended.stderr.splitlines()[0]
        assert ended.stderr.splitlines()[1].startswith("remedy: ")
    (tmp_path / "latin.py").write_bytes("# \xe4\n".encode("latin-1"))
    ended = run_stage("--reward", str(tmp_path / "latin.py"), "--track", "pebble")
    assert "is not UTF-8" in ended.stderr


def test_reward_and_track_from_the_store(tmp_path, monkeypatch):
    np.save(tmp_path / "mine.npy", load_track("kidney").route())
    with seaweed(tmp_path / "store") as settings:
        store = ObjectStore(settings)
        store.put_bytes("rewards/r.py", b"def reward_function(params):\n    return params['x']\n")
        store.put_file("mine.npy", tmp_path / "mine.npy")
        for name, value in settings.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("KUBERACER_S3_BUCKET", "another")
        bucket = f"s3://{settings.kuberacer_s3_bucket}"
        ended = run_stage("--reward", f"{bucket}/rewards/r.py", "--track", f"{bucket}/mine.npy")
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.startswith("r.py on mine: ")
        ended = run_stage("--reward", f"{bucket}/rewards/none.py", "--track", "pebble")
        assert ended.returncode == 1
        assert f"{bucket}/rewards/none.py" in ended.stderr.splitlines()[-2]


def test_help_has_an_example():
    ended = run_stage("--help")
    assert "example:\n  python -m kuberacer.stages.validate_reward --reward" in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["--race", "NUMBER_OF_OBSTACLE: 3"], "NUMBER_OF_OBSTACLE"),
        (["--race", "RACE_TYPE: OBJECT_AVOIDANCE\nNUMBER_OF_OBSTACLES: 90"], "do not fit on track pebble"),
        (["--evaluation", "RACE_TYPE: HEAD_TO_BOT\nNUMBER_OF_BOT_CARS: 90"], "do not fit on track pebble"),
        (["--evaluation", "WORLD_NAME: [pebble, nowhere]"], "nowhere"),
        (["--race", "WORLD_NAME: nowhere"], "nowhere"),
    ],
)
def test_a_race_that_cannot_be_is_found_before_the_training(arguments, named):
    ended = run_stage("--reward", "def reward_function(params): return params['x']", "--track", "pebble", *arguments)
    assert ended.returncode == 1
    cause, remedy = ended.stderr.splitlines()
    assert named in cause
    assert remedy.startswith("remedy: ")


def test_the_track_of_the_yaml_goes_before_the_parameter(tmp_path):
    name = tmp_path / "name"
    text = "WORLD_NAME: pebble\nRACE_TYPE: OBJECT_AVOIDANCE\nNUMBER_OF_OBSTACLES: 2"
    ended = run_stage(
        "--reward", "def reward_function(params): return params['x']", "--track", "kidney", "--race", text,
        "--track-name", str(name),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert name.read_text() == "pebble"


NEEDS_OBJECTS = "def reward_function(params):\n    return params['objects_speed'][params['closest_objects'][1]]\n"


@pytest.mark.parametrize(
    ("race", "evaluation", "fault"),
    [
        ("", "", True),
        ("RACE_TYPE: OBJECT_AVOIDANCE\nNUMBER_OF_OBSTACLES: 2", "", False),
        ("RACE_TYPE: OBJECT_AVOIDANCE\nNUMBER_OF_OBSTACLES: 2", "RACE_TYPE: TIME_TRIAL", True),
    ],
)
def test_a_reward_is_tried_with_the_objects_of_its_races(race, evaluation, fault):
    ended = run_stage("--reward", NEEDS_OBJECTS, "--track", "pebble", "--race", race, "--evaluation", evaluation)
    assert ended.returncode == fault, ended.stderr
    assert ("reward_function.py:2: IndexError" in ended.stderr) == fault


SHELL = """kuberacer_reward: 1
command: [sh, go.sh]
files:
  go.sh: |
    read line; echo '{"kuberacer_reward": 1, "keys": ["speed"]}'
    while read line; do ANSWER; done
"""


def test_a_program_is_tried_like_a_function(tmp_path):
    """It answers with too few rewards: the trial says so, with the file's name and the car's state."""
    path = tmp_path / "mine.yaml"
    path.write_text(SHELL.replace("ANSWER", "echo '{\"rewards\": [1.0]}'"))
    ended = run_stage("--reward", str(path), "--track", "pebble")
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: mine.yaml: sh: it gives 1 rewards for 37 cars, for car 0 at step 1")


def test_requirements_are_for_python(tmp_path):
    ended = run_stage("--reward", SHELL, "--track", "pebble", "--requirements", "lanes")
    assert ended.returncode == 1
    assert "requirements is given, and reward_function.py is a reward in sh" in ended.stderr


def test_a_yaml_file_without_its_version(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text("command: [node, reward.js]\n")
    ended = run_stage("--reward", str(path), "--track", "pebble")
    assert ended.stderr.startswith("error: mine.yaml does not say which version of the protocol")


def test_a_pasted_document_has_its_files_with_it():
    ended = run_stage("--reward", "kuberacer_reward: 1\ncommand: [node, a.js]\nfiles: [a.js]\n", "--track", "pebble")
    assert "the file a.js is named, but it is not here" in ended.stderr
    assert "files: {name: text}" in ended.stderr
