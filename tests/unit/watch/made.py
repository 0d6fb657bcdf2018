"""Runs as trainings and the pipeline leave them, in a bucket and in a folder."""

import json
import tempfile
import time
from pathlib import Path
from typing import Any

from kuberacer.formats import live
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore

OUTLINE = live.outline("oval", 10.0, 0.8, True, center=[[0, 0], [1, 1]], inner=[[0, 0]], outer=[[2, 2]])


def row(iteration: int, **more: Any) -> dict[str, Any]:
    return {
        "iteration": iteration, "seconds": 5.0 * iteration, "steps": 2048 * iteration, "episodes": 9 * iteration,
        "mean_return": 1.5 * iteration, "completion": 10.0 * iteration, "lap_completed": iteration > 2,
        "lap_seconds": 12.0 - iteration, "learning": {"loss": 0.5}, **more,
    }  # fmt: skip


def train(store: ObjectStore, run: str, rows: list[dict[str, Any]], state: str = live.TRAINING) -> None:
    """What a training has in the store after these iterations."""
    about = {
        "run": run, "track": OUTLINE, "race_type": "TIME_TRIAL", "algorithm": "clipped_ppo", "seed": 1,
        "settings": {"cars": 2}, "state": state, "started": time.time() - 60, "ended": None, "error": None,
    }  # fmt: skip
    store.put_bytes(live.about_key(run), live.to_text(about).encode())
    keep(store, run, rows)
    moment(store, run, len(rows))


def keep(store: ObjectStore, run: str, rows: list[dict[str, Any]]) -> None:
    """The checkpoint of the last iteration."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "history.jsonl").write_text("".join(json.dumps(each) + "\n" for each in rows))
        CheckpointStore(store, run).save(Path(folder), rows[-1]["iteration"], None)


def moment(store: ObjectStore, run: str, iteration: int, **more: Any) -> None:
    """What a training tells every second."""
    car = {"x": 1.0, "y": 2.0, "heading": 90.0, "progress": 5.0, "speed": 2.0, "steering": 0.0, "status": "in_progress"}
    now = {
        "time": time.time(), "doing": "drives", "iteration": iteration, "seconds_left": 30.0, "steps_per_second": 900.0,
        "cars": [car], "workers": None, "camera": {"png": "iVBORw0KGgo="}, **more,
    }  # fmt: skip
    store.put_bytes(live.now_key(run), live.to_text(now).encode())


def publish(store: ObjectStore, run: str, lap: float) -> None:
    store.put_bytes(f"{run}/model_card.json", json.dumps(card(run, lap)).encode())
    store.put_bytes(f"{run}/report.html", b"<html><script>alert(1)</script></html>")


def card(run: str, lap: float) -> dict[str, Any]:
    result = {
        "track": "oval", "race_type": "TIME_TRIAL", "laps_completed": 3, "trials": 3, "best_lap_s": lap,
        "penalty_s": 0.0, "resets": 0, "progress": 100.0,
    }  # fmt: skip
    return {
        "run": run, "algorithm": "clipped_ppo", "track": {"name": "oval"}, "evaluations": [result],
        "results": {"trials": 3, "laps_completed": 3, "best_lap_s": lap}, "published_at": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip


def finished(out: Path, run: str, **more: Any) -> Path:
    """A run's folder after its end."""
    folder = out / run
    (folder / "logs").mkdir(parents=True)
    record = {
        "run": run, "track": "oval", "algorithm": "sac", "seed": 3, "status": "succeeded", "started": 1000.0,
        "ended": 2000.0, "best_lap_s": 9.5, "trials": 3, "laps_completed": 2, "parameters": {"track": "kidney"},
        "stages": [{"name": "train", "status": "succeeded", "wall_s": 12.5}], "outputs": {"model": "x"}, **more,
    }  # fmt: skip
    (folder / "run.json").write_text(json.dumps(record))
    (folder / "history.jsonl").write_text("".join(json.dumps(row(i)) + "\n" for i in (1, 2, 3)))
    (folder / "about.json").write_text(json.dumps({"track": OUTLINE, "race_type": "F1", "settings": {"cars": 2}}))
    (folder / "logs" / "train.log").write_text("progress: one\nprogress: two\n")
    (folder / "video.mp4").write_bytes(bytes(range(256)) * 4)
    (folder / "model_card.json").write_text(json.dumps(card(run, 9.5)))
    return folder
