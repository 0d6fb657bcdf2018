"""A training that begins with a model that is there."""

import argparse
import shutil
from collections.abc import Callable
from pathlib import Path

from kuberacer.coach.agent import Agent
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.transfer import load_weights
from kuberacer.rollout import pretrained
from kuberacer.rollout.checkpointing import Checkpointing
from kuberacer.rollout.laps import Lap
from kuberacer.rollout.model_files import METADATA
from kuberacer.rollout.model_folder import ModelFolder
from kuberacer.rollout.trainer import Progress
from kuberacer.settings import StoreSettings
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore


def pretrained_model(options: argparse.Namespace, store: ObjectStore, work: Path) -> ModelFolder | None:
    """The model to begin with; None without one, or where the run has checkpoints of its own."""
    if not options.pretrained or CheckpointStore(store, options.run).iterations():
        return None
    settings = StoreSettings.from_environment()
    return pretrained.fetch(settings, options.pretrained, options.pretrained_checkpoint, work / "pretrained")


def model_metadata(
    options: argparse.Namespace, algorithm: str, store: ObjectStore, model: ModelFolder | None
) -> ModelMetadata:
    """algorithm: the run's, or its preset's."""
    by_preset = bool(options.preset.strip())
    if model is not None:
        return pretrained.metadata_for(model, options.metadata, algorithm, by_preset)
    if options.pretrained and not options.metadata.strip():  # what the run began with
        last = CheckpointStore(store, options.run).find("last")
        if last is not None:
            text = CheckpointStore(store, options.run).read(last, METADATA).decode()
            return ModelMetadata.parse(text, algorithm, by_preset)
    return ModelMetadata.parse(options.metadata, algorithm, by_preset)


def begin_with(
    model: ModelFolder,
    address: str,
    agent: Agent,
    checkpoints: Checkpointing,
    drive_laps: Callable[[Path], Lap] | None,
) -> None:
    """Take the model's weights, measure how it drives, and keep it as the first checkpoint of this run.

    The best checkpoint of a training that only spoils the model is the model itself."""
    address = pretrained.origin(model) or address
    told = {"from": address, **pretrained.load(agent, model, load_weights)}
    graph = checkpoints.freeze()
    lap = drive_laps(graph) if drive_laps else None
    driven = "" if lap is None else f", lap {lap.seconds:.2f} s" if lap.completed else f", lap {lap.progress:.0f} %"
    print(f"progress: begins with {address}, checkpoint {model.name}{driven}", flush=True)
    checkpoints.begin(Progress(best=lap, best_iteration=agent.iteration if lap else None, pretrained=told), lap)
    shutil.rmtree(model.folder)
