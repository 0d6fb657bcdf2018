"""The whole race pipeline in processes, with a tiny budget: its files, its record, its ends."""

import base64
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tests.processes import PATIENCE_S, Watched

STAGES = ["validate_reward", "build_sim_image", "train", "freeze_graph", "evaluate", "publish"]
# Of short iterations and trials: learning, and films of a car that is put back ten times, are what takes the time.
SHORT = ("--track", "pebble", "--cars", "8", "--hyperparameters", '{"rollout_steps": 512}', "--resets", "1")
TINY = (*SHORT, "--minutes", "0", "--steps", "512", "--trials", "1", "--training-videos", "1")
LONG = (*SHORT, "--minutes", "9")


@dataclass(kw_only=True)
class Run(Watched):
    """A running `kuberacer run`."""

    out: Path
    errors: list[str] = field(default_factory=list)

    @classmethod
    def start(cls, out: Path, *arguments: str) -> "Run":
        command = [sys.executable, "-u", "-m", "kuberacer.run.cli", "run", "--out", str(out), *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        run = cls(out=out, process=process)
        for stream, lines in ((process.stdout, run.lines), (process.stderr, run.errors)):
            Thread(target=lambda stream=stream, lines=lines: lines.extend(line.rstrip() for line in stream)).start()
        return run

    @property
    def record(self) -> dict[str, Any]:
        """Of this run, as its first line names it; others may have begun since."""
        name = next((line.split()[1] for line in self.lines if line.startswith("run ")), "latest")
        return dict(json.loads((self.out / name / "run.json").read_text()))


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("race") / "out"


@pytest.fixture(scope="module")
def start(out: Path) -> Iterator[Callable[..., Run]]:
    """Starts runs; none outlives the tests."""
    runs: list[Run] = []

    def start_run(*arguments: str) -> Run:
        runs.append(Run.start(out, *arguments))
        return runs[-1]

    yield start_run
    for run in runs:
        run.process.kill()
        run.process.wait()


@pytest.fixture(scope="module")
def first(start: Callable[..., Run]) -> Run:
    run = start(*TINY)
    assert run.end() == 0, run.errors
    return run


def statuses(record: dict[str, Any]) -> dict[str, tuple[str, bool]]:
    return {stage["name"]: (stage["status"], stage["cached"]) for stage in record["stages"]}


def test_a_run_leaves_everything_in_its_folder(first: Run) -> None:
    folder = first.out / "latest"
    files = ["model.tar.gz", "report.html", "evaluation_metrics.json", "TrainingMetrics.json", "video.mp4"]
    for name in [*files, "reward_map.png", "model_card.md", "model_card.json", "run.json"]:
        assert (folder / name).stat().st_size > 0, name
    for name in ("model", "simtrace", "training-videos/camera-topview"):
        assert any((folder / name).rglob("*")), name
    assert sorted(path.stem for path in (folder / "logs").iterdir()) == sorted(STAGES)
    assert not first.left_behind()


def test_the_report_shows_the_training(first: Run) -> None:
    folder = first.out / "latest"
    page = (folder / "report.html").read_text()
    for title in ("Learning", "Learner", "Actions", "Reward by place", "Where episodes ended", "Sectors"):
        assert f"<h2>{title}</h2>" in page, title
    found = re.search(r"<script type='application/json'>(.*?)</script>", page)
    assert found
    shown = json.loads(found[1])["episodes"]
    steps = [len(path.read_text().splitlines()) - 1 for path in (folder / "training-simtrace").iterdir()]
    assert sum(episode["steps"] for episode in shown if episode["iteration"]) == sum(steps) > 0
    rows = [json.loads(line) for line in (folder / "history.jsonl").read_text().splitlines()]
    assert all(row["freeze_seconds"] > 0 < row["save_seconds"] for row in rows)
    parts = ("play_seconds", "learn_seconds", "freeze_seconds", "lap_wall_seconds")
    assert sum(rows[0][part] for part in parts) == pytest.approx(rows[0]["seconds"], abs=0.01)


def test_the_record_says_what_happened(first: Run) -> None:
    record = first.record
    assert statuses(record) == dict.fromkeys(STAGES, ("succeeded", False))
    assert (record["track"], record["algorithm"], record["seed"], record["trials"]) == ("pebble", "clipped_ppo", 0, 1)
    assert record["steps"] >= 512
    assert record["status"] == "succeeded"
    assert all(Path(path).exists() for path in record["outputs"].values())
    assert record["run"] == (first.out / "latest").resolve().name


def test_the_last_lines_say_where_everything_is(first: Run) -> None:
    assert first.lines[-4].startswith("laps completed: ")
    assert [line.split(":")[0] for line in first.lines[-3:]] == ["model", "report", "video"]
    assert any(line.startswith("train: ") for line in first.lines)
    assert not any(character < " " for line in first.lines for character in line)


def test_its_model_is_served_and_asked_with_a_picture(first: Run, tmp_path: Path) -> None:
    name = first.record["run"]
    policy = json.loads((first.out / name / "model" / "policy.json").read_text())
    example = policy["examples"][0]
    (tmp_path / "frame.png").write_bytes(base64.b64decode(example["observation"]["image"][0]))

    def command(*words: str) -> str:
        whole = [sys.executable, "-m", "kuberacer.run.cli", *words, "--out", str(first.out)]
        return subprocess.run(whole, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout

    try:
        said = command("deploy-endpoint", "--run", name, "--port", "0")
        assert f"predict: make predict NAME={name} IMAGE=picture.png" in said
        found = json.loads(command("predict", "--run", name, "--image", str(tmp_path / "frame.png")))
    finally:
        command("delete-endpoint", "--run", name)
    assert found["action"] == example["action"]
    assert found["values"] == policy["action"]["values"][example["action"]]
    assert set(found["values"]) == {"steering_angle", "speed"}


def test_the_first_sign_of_training_comes_before_the_first_iteration(first: Run) -> None:
    lines = [line for line in first.lines if line.startswith("train: ")]
    assert re.match(r"train: training on \d+ cores in (fp32|bf16), 8 cars, reward ", lines[0]), lines
    assert lines[1].startswith("train: iteration 1 ")


def test_a_typo_in_the_reward_ends_the_run_with_its_line(start: Callable[..., Run], tmp_path: Path) -> None:
    reward = tmp_path / "typo.py"
    reward.write_text('def reward_function(params):\n    return float(params["sped"])\n')
    run = start(*TINY, "--reward", str(reward))
    assert run.end() == 1
    assert run.errors[-2].endswith("typo.py:2: params has no key 'sped'"), run.errors
    assert run.errors[-1] == "remedy: did you mean 'speed'?"
    assert statuses(run.record)["train"][0] == "pending"
    assert not run.left_behind()


def test_a_finished_run_resumed_repeats_nothing(first: Run, start: Callable[..., Run]) -> None:
    again = start("--resume", first.record["run"])
    assert again.end() == 0, again.errors
    assert statuses(again.record) == dict.fromkeys(STAGES, ("succeeded", True))
    assert again.lines[-4:] == first.lines[-4:]


def test_a_killed_stage_ends_the_run_which_goes_on_when_resumed(first: Run, start: Callable[..., Run]) -> None:
    run = start(*LONG, "--trials", "1", "--seed", "1")
    run.wait_for("train: iteration 3")  # the first iteration's checkpoint is in the store by then
    name = run.record["run"]
    assert statuses(run.record)["validate_reward"] == ("succeeded", True)
    run.child("kuberacer.stages.train").kill()
    assert run.end() == 1
    assert run.errors[-2].startswith("error: train was killed by SIGKILL")
    assert f"RESUME={name}" in run.errors[-1]
    assert not run.left_behind()

    resumed = start("--resume", name, "--minutes", "0.05")
    assert resumed.end() == 0, resumed.errors
    assert statuses(resumed.record)["validate_reward"] == ("succeeded", True)
    assert any("goes on after iteration" in line for line in resumed.lines)


@pytest.mark.parametrize(
    ("number", "after"), [(signal.SIGINT, "train: iteration 1"), (signal.SIGTERM, "build_sim_image: ")]
)
def test_an_interrupted_run_ends_with_a_remedy_and_leaves_no_process(
    first: Run, start: Callable[..., Run], number: signal.Signals, after: str
) -> None:
    run = start(*LONG)
    run.wait_for(after)
    while statuses(run.record)["train"][0] != "running":
        time.sleep(0.05)
    run.look()
    run.process.send_signal(number)
    assert run.end() == 128 + number
    assert run.errors[-2].startswith("error: interrupted")
    assert "RESUME=" in run.errors[-1]
    assert (run.record["status"], statuses(run.record)["train"][0]) == ("interrupted", "interrupted")
    assert not run.left_behind()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children of their parent's death")
def test_a_killed_command_takes_its_processes_with_it(first: Run, start: Callable[..., Run]) -> None:
    run = start(*LONG)
    run.wait_for("validate_reward: ")
    run.look()
    os.kill(run.process.pid, signal.SIGKILL)
    run.process.wait()
    assert not run.left_behind()


def test_a_store_that_cannot_be_reached_is_named(out: Path) -> None:
    away = {"KUBERACER_S3_ENDPOINT": "http://127.0.0.1:9", "KUBERACER_S3_BUCKET": "b"}
    said = subprocess.run(
        [sys.executable, "-m", "kuberacer.run.cli", "run", "--out", str(out), *TINY],
        env={**os.environ, **away, "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert said.returncode == 1
    cause, remedy = said.stderr.splitlines()[-2:]
    assert cause.startswith("error: ")
    assert "127.0.0.1:9" in cause
    assert remedy.startswith("remedy: ")
