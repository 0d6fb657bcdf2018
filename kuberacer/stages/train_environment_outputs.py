"""What a training on any environment leaves: the best checkpoint, records, plots."""

import argparse
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kuberacer.coach.agent import Agent
from kuberacer.coach.environment_model import EnvironmentModel
from kuberacer.environments.loader import Environments
from kuberacer.formats.write import write_atomically
from kuberacer.report.reward_plot import reward_plot
from kuberacer.rollout.checkpointing import Checkpointing
from kuberacer.rollout.environment_records import CSV, GIFS, EnvironmentRecords
from kuberacer.rollout.records import HISTORY
from kuberacer.rollout.trainer import Progress
from kuberacer.stages.executor_output import write_metrics

INTERMEDIATE = "output/intermediate"  # below the run in the store


def collect(
    options: argparse.Namespace,
    environments: Environments,
    model: EnvironmentModel,
    agent: Agent,
    records: EnvironmentRecords,
    checkpoints: Checkpointing,
    progress: Progress,
    pretrained: dict[str, Any] | None,
) -> None:
    """Write the stage's outputs from what lies in the store."""
    assert progress.best is not None, "at least one iteration was done"
    checkpoints.fetch_best(options.checkpoint)
    checkpoints.finish()
    options.intermediate.mkdir(parents=True, exist_ok=True)
    checkpoints.fetch_beside(INTERMEDIATE, options.intermediate)
    shutil.copyfile(records.folder / CSV, options.intermediate / CSV)
    options.history.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(records.folder / HISTORY, options.history)
    reward_plot(options.reward_plot, records.rows(), model.environment)
    options.plots.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(options.reward_plot, options.plots / "reward_plot.png")
    environments.draw(options.plots)
    for path in sorted(options.plots.iterdir()):
        checkpoints.store.put_file(f"{options.run}/plots/{path.name}", path)
    summary = {
        "environment": model.environment,
        "algorithm": model.algorithm,
        "steps": agent.total_steps,
        "iterations": agent.iteration,
        "episodes": progress.episodes,
        "seconds": round(progress.seconds, 3),
        "precision": agent.precision,
        "best": {"iteration": progress.best_iteration, "mean_return": progress.best.reward},
        "pretrained": pretrained,
    }
    write_atomically(options.summary, json.dumps(summary, indent=1) + "\n")
    if options.executor_output:
        figures = {"steps": agent.total_steps, "iterations": agent.iteration, "seconds": round(progress.seconds, 3)}
        write_metrics(options.executor_output, "metrics", {**figures, "best_mean_return": progress.best.reward or 0.0})


def tracked_files(options: argparse.Namespace) -> dict[str, Sequence[Path]]:
    """What of it goes into MLflow, by folder: checkpoint and CSV at the root, where rl_coach's notebooks leave them."""
    gifs = sorted((options.intermediate / GIFS).glob("*.gif"))
    return {
        "": [*sorted(path for path in options.checkpoint.iterdir() if path.is_file()), options.intermediate / CSV],
        "plots": sorted(options.plots.glob("*.png")),
        "gifs": gifs,
    }
