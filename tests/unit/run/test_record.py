"""run.json, and what is shown of a run."""

import io
import json
from pathlib import Path
from typing import Any

import pytest

from kuberacer.errors import UserError
from kuberacer.run.local.artifacts import Artifact
from kuberacer.run.progress import Progress, duration
from kuberacer.run.record import RecordFile, RunRecord, Stage, needs_files, read_parameters
from kuberacer.run.results import closing_lines, take_outputs


def record_file(folder: Path) -> RecordFile:
    folder.mkdir(parents=True, exist_ok=True)
    stages = [Stage("validate_reward"), Stage("train")]
    return RecordFile(folder, RunRecord("r", "kidney", "sac", 3, stages=stages, parameters={"seed": 3}))


def read(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run.json").read_text()))


def test_parameters_are_read_back(tmp_path: Path) -> None:
    record_file(tmp_path / "r").write()
    assert read_parameters(tmp_path / "r", "race") == {"seed": 3}
    with pytest.raises(UserError, match="r is a run of race, not of sweep"):
        read_parameters(tmp_path / "r", "sweep")


def test_an_unknown_run_is_named_with_those_there_are(tmp_path: Path) -> None:
    record_file(tmp_path / "monday").write()
    with pytest.raises(UserError, match="no run tuesday") as caught:
        read_parameters(tmp_path / "tuesday", "race")
    assert "monday" in caught.value.remedy


def test_a_run_that_did_not_come_to_an_end_lacks_files(tmp_path: Path) -> None:
    record_file(tmp_path / "r").write()
    needs_files(tmp_path / "r", "run.json")
    with pytest.raises(UserError, match="the run r has no training-simtrace") as caught:
        needs_files(tmp_path / "r", "run.json", "training-simtrace")
    assert "RESUME=r" in caught.value.remedy


def test_progress_without_a_terminal_is_plain_lines(tmp_path: Path) -> None:
    file, out = record_file(tmp_path), io.StringIO()
    taken: list[str] = []
    with Progress(file, lambda stage, outputs: taken.append(stage), out) as progress:
        progress.started("validate-reward")
        assert read(tmp_path)["stages"][0]["status"] == "running"
        progress.ended("validate-reward", {}, True)
        progress.started("train")
        progress.printed("train", "loading")
        progress.printed("train", "progress: iteration 1 \x1b[1mreturn 3.5\x1b[0m\x07")
        progress.failed("train", UserError("c", "r"))
    assert out.getvalue().splitlines() == [
        "validate_reward: unchanged, taken from before",
        "train: iteration 1 return 3.5",
    ]
    assert taken == ["validate_reward"]
    statuses = [(stage["status"], stage["cached"]) for stage in read(tmp_path)["stages"]]
    assert statuses == [("succeeded", True), ("failed", False)]


def test_what_was_running_when_the_run_was_interrupted_is_noted(tmp_path: Path) -> None:
    file = record_file(tmp_path)

    def interrupted_run() -> None:
        with Progress(file, lambda stage, outputs: None, io.StringIO()) as progress:
            progress.started("train")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted_run()
    assert file.record.stage("train").status == "interrupted"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_the_running_stage_has_a_live_line(tmp_path: Path) -> None:
    out = Terminal()
    with Progress(record_file(tmp_path), lambda stage, outputs: None, out) as progress:
        progress.started("train")
        progress.printed("train", "progress: iteration 1 [red]")
        progress.say("a line")
        progress.printed("train", "progress: iteration 2")
        progress.ended("train", {}, False)
    assert "train: iteration 1 [red]" in out.getvalue()
    assert "train: iteration 2" in out.getvalue()
    assert "a line" in out.getvalue()


def artifact(folder: Path, name: str, text: str | None) -> Artifact:
    place = folder / name
    if text is None:
        place.mkdir(parents=True)
        (place / "file").write_text(name)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
    return Artifact(name, "system.Artifact", str(place))


def trial(number: int, percent: int, milliseconds: int) -> dict[str, Any]:
    counts = ("crash_count", "immobilized_count", "off_track_count", "reversed_count", "reset_count")
    return dict.fromkeys(counts, 0) | {
        "completion_percentage": percent,
        "metric_time": 0,
        "start_time": 0,
        "elapsed_time_in_milliseconds": milliseconds,
        "episode_status": "Lap complete" if percent == 100 else "Off track",
        "trial": number,
    }


def test_outputs_and_figures_are_taken_over(tmp_path: Path) -> None:
    record, cache, folder = record_file(tmp_path / "run").record, tmp_path / "cache", tmp_path / "run"
    metrics = {"metrics": [trial(1, 100, 9500), trial(2, 40, 3000), trial(3, 100, 8250)], "version": 1.0}
    summary = {"first_lap_s": 61.5, "steps": 9000, "best": {}}
    for _ in range(2):  # a resumed run takes them again
        take_outputs(
            record,
            folder,
            "train",
            {"summary": artifact(cache, "summary", json.dumps(summary)), "history": artifact(cache, "history", "")},
        )
        take_outputs(
            record, folder, "evaluate", {"evaluation_metrics": artifact(cache, "metrics", json.dumps(metrics))}
        )
        take_outputs(record, folder, "publish", {"model_folder": artifact(cache, f"model{_}", None)})
    assert (record.first_lap_s, record.steps) == (61.5, 9000)
    assert (record.laps_completed, record.trials, record.best_lap_s) == (2, 3, 8.25)
    assert (folder / "model" / "file").exists()
    assert (folder / "history.jsonl").exists()
    assert record.outputs["model_folder"] == str(folder / "model")
    assert closing_lines(record, folder)[1] == "laps completed: 2 of 3, best lap 8.25 s"


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.94, "59.9 s"), (59.96, "1 min 00 s"), (185, "3 min 05 s")]
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text
