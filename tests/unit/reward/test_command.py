"""Programs that compute rewards: what goes wrong is said, and nothing gets out. The programs here are shell scripts."""

import contextlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from kuberacer.errors import UserError
from kuberacer.formats.reward_document import RewardDocument
from kuberacer.reward.command import CommandReward
from kuberacer.reward.program_folder import built, folder_of
from kuberacer.reward.samples import sample_states
from kuberacer.sim.track import load_track

TRACK = load_track("pebble")
VALUES = next(sample_states(TRACK, 2))
HELLO = 'read line; echo \'{"kuberacer_reward": 1, "keys": ["speed"]}\'\n'
ANSWER = "echo '{\"rewards\": [1.5, -2]}'\n"
LOOP = f"while read line; do {ANSWER.strip()}; done\n"


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERACER_CACHE", str(tmp_path / "cache"))


def document(script: str, **more: object) -> RewardDocument:
    return RewardDocument(name="mine.yaml", command=("sh", "go.sh"), files={"go.sh": script.encode()}, **more)  # type: ignore[arg-type]


def command(script: str, strict_output: bool = False, **more: object) -> CommandReward:
    return CommandReward(document(script, **more), TRACK, 2, strict_output=strict_output)


def test_rewards_come_back() -> None:
    with command(HELLO + LOOP) as reward:
        for _ in range(3):
            assert np.array_equal(reward(VALUES), [1.5, -2.0])


FAULTS = {
    # name: (what it does with the second line, words of the cause)
    "not JSON": ("echo 1.5, -2", "its answer is not JSON: 1.5, -2"),
    "wrong count": ("echo '{\"rewards\": [1]}'", "it gives 1 rewards for 2 cars, for car 0 at step"),
    "NaN": ("echo '{\"rewards\": [1, NaN]}'", "the reward is nan, not within ±100000, for car 1 at step"),
    "says why": ("echo '{\"error\": \"no map\"}'", "it says: no map"),
    "two lines": ("printf '{}\\n{}\\n'", "it answers with more than one line: {}"),
    "long line": ("while :; do printf 1234567890; done", "its answer is longer than 4,224 bytes"),
    "ends": ("echo 'no such file' >&2; exit 3", "it has ended (status 3), in a step of 2 cars, car 0 at step"),
    "last words": ("echo 'no such file' >&2; exit 3", "; it wrote: no such file"),
    "is killed": ("kill -9 $$", "it has ended (SIGKILL)"),
    "closes": ("exec >&-; read line", "it has closed its input or output"),
    "never answers": ("read line", "it did not answer within 0.3 s"),
    "endless loop": ("while :; do :; done", "it did not answer within 0.3 s"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(fault: str) -> None:
    does, words = FAULTS[fault]
    script = f"{HELLO}read line; {ANSWER}read line; {does}\n{LOOP}"
    reward = command(script, timeout_s=0.3)
    assert reward._program is not None
    pid = reward._program.pid
    assert np.array_equal(reward(VALUES), [1.5, -2.0])
    with pytest.raises(UserError) as found:
        reward(VALUES)
    assert found.value.cause.startswith("mine.yaml: sh: ")
    assert words in found.value.cause
    assert "\n" not in found.value.cause + found.value.remedy
    assert not psutil.pid_exists(pid)
    with pytest.raises(UserError, match="its program has ended"):  # it is not started again by itself
        reward(VALUES)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("exit 1", "it has ended (status 1), at its start"),
        ("echo no memory >&2; kill -11 $$", "it has ended (SIGSEGV), at its start; it wrote: no memory"),
        ("read line; echo hello", "its answer is not JSON: hello"),
        ("echo early; " + HELLO, "not JSON|more than one line|without being asked"),
    ],
)  # fmt: skip
def test_faults_at_the_start(script: str, words: str) -> None:
    with pytest.raises(UserError) as found:
        command(script)
    assert any(part in found.value.cause for part in words.split("|")), found.value.cause
    assert not [child for child in psutil.Process().children() if child.name() == "sh"]


def test_answers_that_nobody_asked_for() -> None:
    """One that comes late is taken for the next step's; then that one's own is too many."""

    def several_steps(reward: CommandReward) -> None:
        for _ in range(100):
            reward(VALUES)

    with pytest.raises(UserError, match=r"without being asked|more than one line"):
        several_steps(command(HELLO + "read line; " + ANSWER + ANSWER + LOOP))


def test_programs_that_are_not_there() -> None:
    with pytest.raises(UserError, match="there is no program no-such-runtime here"):
        CommandReward(RewardDocument(name="a", command=("no-such-runtime",)), TRACK, 2)
    with pytest.raises(UserError, match="cannot be started: Exec format error"):
        CommandReward(RewardDocument(name="a", command=("go",), files={"go": b"\x7fELF no"}), TRACK, 2)
    with pytest.raises(UserError, match="the file go is named, but it is not here"):
        CommandReward(RewardDocument(name="a", command=("go",), absent={"go": ""}), TRACK, 2)
    with pytest.raises(UserError, match="was built for Plan9 mips"):
        CommandReward(RewardDocument(name="a", command=("sh",), build=("make",), built="Plan9 mips"), TRACK, 2)


def test_stderr_is_shown_and_cut(capsys: pytest.CaptureFixture) -> None:
    loud = LOOP.replace("do ", "do printf '%01000d\\033[2J\\n' 7 >&2; ")
    with command(HELLO + loud) as reward:
        for _ in range(30):
            reward(VALUES)
    shown = capsys.readouterr().out
    assert "the rest is left out" in shown
    assert "\033" not in shown
    assert 15_000 < len(shown) < 20_000
    with pytest.raises(UserError, match="prints more than"), command(HELLO + loud, strict_output=True) as reward:  # noqa: PT012
        for _ in range(30):
            reward(VALUES)


def test_a_flood_of_stderr_does_not_block() -> None:
    flood = LOOP.replace("do ", "do i=0; while [ $i -lt 300 ]; do printf '%01000d\\n' 7 >&2; i=$((i+1)); done; ")
    with command(HELLO + flood, timeout_s=20) as reward:
        assert np.array_equal(reward(VALUES), [1.5, -2.0])


def test_long_lines_go_both_ways() -> None:
    """More than a pipe holds: 96 kB of waypoints for each step."""
    cars = 200
    answer = '{"rewards": [' + ", ".join(["0.12345678901234567"] * cars) + "]}"
    script = f"read line; echo '{{\"kuberacer_reward\": 1}}'; while read line; do echo '{answer}'; done"
    with CommandReward(document(script), TRACK, cars, objects=6) as reward:
        values = next(sample_states(TRACK, cars, 6))
        assert reward(values).tolist() == [0.12345678901234567] * cars


WALLS = {
    "write": ": > {tmp}/new",
    "write into its folder": ": > new",
    "append": "echo x >> {tmp}/old",
    "read": 'read x < {tmp}/old; [ -n "$x" ]',
    "environment of the parent": 'read x < /proc/{parent}/environ; [ -n "$x" ]',
    "other programs": "/bin/rm {tmp}/old",
    "a copy of itself": "( : > {tmp}/new )",
    "signal": "kill -0 {parent}",
}


@pytest.mark.parametrize("name", WALLS)
@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_walls(name: str, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    (tmp_path / "old").write_text("secret")
    tries = WALLS[name].format(tmp=tmp_path, parent=os.getpid())
    free = subprocess.run(["sh", "-c", f"{tries} && echo done"], cwd=tmp_path, capture_output=True, text=True)
    assert "done" in free.stdout, free.stderr  # without walls it is possible
    (tmp_path / "old").write_text("secret")
    (tmp_path / "new").unlink(missing_ok=True)
    # A redirection that fails ends a POSIX shell; `command` keeps it going, a fork that fails does not.
    script = f"{HELLO}read line; command eval '{tries}' 2>/dev/null && echo done >&2\n{ANSWER}{LOOP}"
    with command(script) as reward:
        if set(reward.limits) != {"memory", "files", "system calls"}:
            pytest.skip(f"this kernel or container allows only {reward.limits}")
        with contextlib.suppress(UserError):  # the shell ends where it may not fork
            reward(VALUES)
    assert "done" not in capsys.readouterr().out
    assert (tmp_path / "old").read_text() == "secret"
    assert not (tmp_path / "new").exists()


def test_environment_has_no_credentials(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very secret")
    with command(HELLO + "read line; export -p >&2\n" + ANSWER) as reward:
        reward(VALUES)
    said = capsys.readouterr().out
    assert "PATH" in said
    assert "very secret" not in said


def test_the_program_dies_with_its_parent() -> None:
    code = f"""
from kuberacer.reward.command import CommandReward
from kuberacer.formats.reward_document import RewardDocument
from kuberacer.sim.track import load_track
document = RewardDocument(name="a", command=("sh", "go.sh"), files={{"go.sh": {(HELLO + LOOP).encode()!r}}})
reward = CommandReward(document, load_track("pebble"), 2)
print(reward._program.pid, flush=True)
input()
"""
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdin is not None
    assert parent.stdout is not None
    child = psutil.Process(int(parent.stdout.readline()))
    assert child.name() == "sh"
    parent.kill()
    parent.wait()
    parent.stdin.close()
    parent.stdout.close()
    child.wait(timeout=30)


def test_folders_are_made_once() -> None:
    first = document(HELLO + LOOP, timeout_s=1.0)
    folder = folder_of(first)
    assert folder == folder_of(first)
    assert (folder / "go.sh").read_bytes() == (HELLO + LOOP).encode()
    assert folder != folder_of(document(HELLO + LOOP + "#"))
    assert [entry.name for entry in folder.parent.iterdir() if len(entry.name) < 64] == []


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler on this machine")
def test_faults_of_a_build(tmp_path: Path) -> None:
    source = b"int main(void) { return nothing; }\n"
    wrong = RewardDocument(name="c.yaml", command=("go",), build=("cc", "-o", "go", "go.c"), files={"go.c": source})
    with pytest.raises(UserError, match=r"c.yaml: build: it ended with status 1: go.c:1:\d+: error: .nothing. undec"):
        built(wrong)
    (tmp_path / "old").write_text("secret")
    for build in (f"cat {tmp_path}/old", f"echo > {tmp_path}/new", f"rm {tmp_path}/old", f"kill -0 {os.getpid()}"):
        with pytest.raises(UserError, match="build: it ended with status"):
            built(RewardDocument(name="a", command=("go",), build=("sh", "-c", build)))
    assert (tmp_path / "old").exists()
    assert not (tmp_path / "new").exists()
    assert not list((tmp_path / "cache").glob("kuberacer-build-*"))


def test_a_build_leaves_files() -> None:
    made = built(RewardDocument(name="a", command=("go",), build=("sh", "-c", "mkdir -p d; echo x > d/y; ln -s / l")))
    assert made.files == {"d/y": b"x\n"}
    assert made.built
    assert built(made) is made
