"""What the train stage leaves behind."""

import argparse
import json
import shutil
from typing import Any

from kuberacer.coach.agent import Agent
from kuberacer.coach.checkpoint_files import HYPERPARAMETERS, PRESET
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.formats.write import write_atomically
from kuberacer.rollout.checkpointing import Checkpointing
from kuberacer.rollout.records import HISTORY, METRICS, TRACES, Records
from kuberacer.rollout.trainer import Progress
from kuberacer.rollout.training_videos import fetch_videos
from kuberacer.stages.executor_output import write_metrics


def collect(
    options: argparse.Namespace,
    metadata: ModelMetadata,
    hyper: Hyperparameters,
    agent: Agent,
    progress: Progress,
    records: Records,
    checkpoints: Checkpointing,
) -> None:
    """Write the stage's outputs from what lies in the store."""
    assert progress.best is not None, "at least one iteration was done"
    checkpoints.fetch_best(options.checkpoint)
    checkpoints.bring_best(progress)  # the summary tells of the checkpoint that was fetched
    checkpoints.finish()
    (options.checkpoint / "model_metadata.json").write_text(metadata.to_json(), encoding="utf-8")
    (options.checkpoint / HYPERPARAMETERS).write_text(json.dumps(dict(hyper.values)), encoding="utf-8")
    if options.preset.strip():
        (options.checkpoint / PRESET).write_text(options.preset, encoding="utf-8")
    checkpoints.fetch_beside(TRACES, options.simtrace)
    fetch_videos(checkpoints.store, options.run, options.videos)
    for path, source in (
        (options.training_metrics, records.folder / METRICS),
        (options.history, records.folder / HISTORY),
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, path)
    best = progress.best
    summary: dict[str, Any] = {
        "algorithm": metadata.algorithm,
        "first_lap_s": progress.first_lap_s,
        "steps": agent.total_steps,
        "iterations": agent.iteration,
        "episodes": progress.episodes,
        "seconds": round(progress.seconds, 3),
        "precision": agent.precision,
        "best": {
            "iteration": progress.best_iteration,
            "completed": best.completed,
            "laps": best.laps,
            "progress": best.progress,
            "seconds": best.seconds,
        },
    }
    if progress.pretrained is not None:
        summary["pretrained"] = progress.pretrained
    write_atomically(options.summary, json.dumps(summary, indent=1) + "\n")
    if options.executor_output:
        figures = {"steps": agent.total_steps, "iterations": agent.iteration, "seconds": round(progress.seconds, 3)}
        if progress.first_lap_s is not None:
            figures["first_lap_s"] = round(progress.first_lap_s, 3)
        write_metrics(options.executor_output, "metrics", figures)
