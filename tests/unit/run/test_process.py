"""Processes of steps: their output, their end, and that nothing of them is left."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from kuberacer.run.local import process
from kuberacer.run.local.process import Ended, run_process
from tests.processes import gone, running


def run(program: str, folder: Path, lines: list[str] | None = None) -> Ended:
    arguments = [sys.executable, "-u", "-c", program]
    on_line = (lines if lines is not None else []).append
    return asyncio.run(run_process(arguments, dict(os.environ), folder, folder / "log", on_line))


def wait_for_file(path: Path) -> int:
    for _ in range(600):
        if path.exists() and path.read_text():
            return int(path.read_text())
        time.sleep(0.05)
    raise AssertionError(f"{path} did not appear")


def test_both_outputs_go_to_the_log_and_line_by_line_to_the_caller(tmp_path: Path) -> None:
    lines: list[str] = []
    program = "import sys; print('one'); print('two\\rthree', file=sys.stderr); sys.stdout.write('ü without end')"
    assert run(program, tmp_path, lines).status == 0
    assert lines == ["one", "two", "three", "ü without end"]
    assert (tmp_path / "log").read_bytes().decode() == "one\ntwo\rthree\nü without end"


def test_a_line_without_end_does_not_stop_the_step(tmp_path: Path) -> None:
    assert run("print('x' * 3_000_000)", tmp_path).status == 0


def test_status_and_signal_are_told(tmp_path: Path) -> None:
    assert run("raise SystemExit(3)", tmp_path).status == 3
    assert run("import os; os.kill(os.getpid(), 9)", tmp_path).status == -signal.SIGKILL


BACKGROUND = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])
open('child', 'w').write(str(child.pid))
"""


def test_what_a_step_leaves_behind_is_ended_with_it(tmp_path: Path) -> None:
    assert run(BACKGROUND, tmp_path).status == 0
    assert gone(wait_for_file(tmp_path / "child"))


@pytest.mark.parametrize("stubborn", [False, True])
def test_cancelling_ends_the_step_and_its_children(
    tmp_path: Path, stubborn: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "GRACE_S", 0.3)
    program = BACKGROUND + "time.sleep(60)"
    if stubborn:
        program = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)\n" + program
    before = psutil.Process().children()  # other tests' servers

    async def start_and_cancel() -> None:
        arguments = [sys.executable, "-c", program]
        step = asyncio.create_task(
            run_process(arguments, dict(os.environ), tmp_path, tmp_path / "log", lambda line: None)
        )
        await asyncio.to_thread(wait_for_file, tmp_path / "child")
        step.cancel()
        with pytest.raises(asyncio.CancelledError):
            await step

    asyncio.run(start_and_cancel())
    assert gone(wait_for_file(tmp_path / "child"))
    assert not [child for child in psutil.Process().children() if child not in before and running(child)]


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_a_killed_runner_takes_its_steps_with_it(tmp_path: Path) -> None:
    step = "import os, time; open('step', 'w').write(str(os.getpid())); time.sleep(60)"
    runner = (
        "import asyncio, os, sys; from pathlib import Path; from kuberacer.run.local.process import run_process\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"asyncio.run(run_process([sys.executable, '-c', {step!r}], dict(os.environ), folder, folder / 'log', print))"
    )
    started = subprocess.Popen([sys.executable, "-c", runner])
    pid = wait_for_file(tmp_path / "step")
    started.kill()
    started.wait()
    assert gone(pid)
