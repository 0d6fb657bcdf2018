"""The model that a training begins with: DeepRacer's "pretrained" model, which its console calls a clone."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from kuberacer.coach.agent import Agent
from kuberacer.coach.checkpoint_files import PARTS, STATE
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.rollout.model_files import MAX_TEXT_BYTES, METADATA, open_store
from kuberacer.rollout.model_folder import HYPERPARAMETERS, LIST, ModelFolder, choose, small_text
from kuberacer.settings import StoreSettings
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import NotFoundError, ObjectStore

ORIGIN = "origin.json"  # beside the model: where it came from, for the model card
MOST_BYTES = 4 << 30  # of one file
MOST_EXPLORED = 1_000_000  # steps of an exploration schedule that are skipped, each in Python


def fetch(settings: StoreSettings, address: str, which: str, folder: Path) -> ModelFolder:
    """The model at `s3://bucket/prefix` or at a prefix in the run's own bucket, into a folder.

    A run of KubeRacer's gives its best or last checkpoint, finished or not; else the prefix or `<prefix>/model/` is
    DeepRacer's model folder. Raises UserError naming what is missing.
    """
    store, prefix = open_store(settings, address)
    folder.mkdir(parents=True)
    manifest = CheckpointStore(store, prefix).find(which) if which in ("best", "last") else None
    if manifest is not None and METADATA in manifest.files:
        wanted = {name for name in manifest.files if name.endswith(PARTS)} | {METADATA, HYPERPARAMETERS, STATE}
        files = {name: file for name, file in manifest.files.items() if name in wanted}
        for name, (digest, _) in files.items():
            _check_size(store, f"{prefix}/objects/{digest}", _most(name))
        CheckpointStore(store, prefix).load(replace(manifest, files=files), folder)
    else:
        _fetch_folder(store, prefix, which, folder)
    return ModelFolder.find(folder, which)


def _fetch_folder(store: ObjectStore, prefix: str, which: str, folder: Path) -> None:
    for place in (f"{prefix}/model/", f"{prefix}/"):
        names = {key.removeprefix(place) for key in store.list(place)}
        if METADATA in names:
            break
    else:
        raise UserError(
            f"there is no model at {store.address(prefix)}: neither {METADATA} nor model/{METADATA}",
            "give a run's name, or the s3:// address of DeepRacer's model folder or of the folder above it",
        )
    listed = None
    if LIST in names:
        _get(store, f"{place}{LIST}", folder / LIST)
        listed = small_text(folder / LIST, store.address(prefix))
        (folder / LIST).unlink()  # it may name checkpoints that are not fetched
    name = choose(names, listed, which, store.address(prefix))
    for file in (*(f"{name}{part}" for part in PARTS), METADATA, HYPERPARAMETERS, STATE, ORIGIN):
        if file in names:
            _get(store, f"{place}{file}", folder / file)


def _get(store: ObjectStore, key: str, path: Path) -> None:
    _check_size(store, key, _most(path.name))
    store.get_file(key, path)


def _most(name: str) -> int:
    return MOST_BYTES if name.endswith(PARTS) else MAX_TEXT_BYTES


def _check_size(store: ObjectStore, key: str, most: int) -> None:
    size = store.size(key)
    if size is None:
        raise NotFoundError(f"there is no {store.address(key)}", "give another model")
    if size > most:
        raise UserError(f"{store.address(key)} has {size >> 20} MiB, more than {most >> 20}", "give a DeepRacer model")


def metadata_for(model: ModelFolder, given: str, algorithm: str, by_preset: bool = False) -> ModelMetadata:
    """The metadata of a training that begins with this model: the model's own, with which what was given must agree.

    Raises UserError naming both where they differ."""
    own = model.metadata
    if not given.strip():
        if own.algorithm != algorithm:
            raise UserError(
                f"the pretrained model {model.name} was trained with {own.algorithm}, the run's algorithm is"
                f" {algorithm}",
                f"set ALGORITHM={own.algorithm}",
            )
        return own
    wanted = ModelMetadata.parse(given, algorithm, by_preset)
    for what in ("algorithm", "action_space", "sensors", "lidar_sectors", "network"):
        mine, theirs = getattr(wanted, what), getattr(own, what)
        if mine != theirs:
            raise UserError(
                f"the pretrained model {model.name} has the {what} {_shown(theirs)}, the run's metadata {_shown(mine)}",
                "leave out METADATA to train with the model's own, or give another model",
            )
    return wanted


def _shown(value: Any) -> str:
    text = str(value)
    return text if len(text) < 200 else f"{text[:200]}…"


def load(agent: Agent, model: ModelFolder, load_weights: Callable[[Agent, Path], Any]) -> dict[str, Any]:
    """Bring a fresh agent to where the model's training stood: weights, optimizer, iterations, exploration.

    Returns what is told of it in the model card. Raises UserError when the model does not fit the agent.
    """
    loaded = load_weights(agent, model.prefix)
    agent.iteration, agent.steps_before = model.iteration, model.steps
    agent.exploration.skip_to(min(_explored(model), MOST_EXPLORED))
    return {
        "checkpoint": model.name,
        "iteration": model.iteration,
        "steps": model.steps,
        "optimizer_state": loaded.optimizer,
        "sha256": weights_digest(model),
    }


def weights_digest(model: ModelFolder) -> str:
    """SHA-256 of the file with the checkpoint's tensors."""
    with Path(f"{model.prefix}{PARTS[0]}").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _explored(model: ModelFolder) -> int:
    """Steps of the exploration's schedule: as the model's own state says, else all of its steps."""
    path = model.folder / STATE
    if not path.is_file():
        return model.steps
    try:
        steps = json.loads(small_text(path, model.name))["exploration_steps"]
    except (ValueError, KeyError, TypeError, RecursionError):
        steps = None
    if not isinstance(steps, int) or isinstance(steps, bool) or steps < 0:
        raise UserError(f"{model.name}: {STATE} is damaged", "give the whole checkpoint, or remove this file")
    return steps


def origin(model: ModelFolder) -> str | None:
    """What the model's own origin file says that it came from; None without one."""
    path = model.folder / ORIGIN
    if not path.is_file():
        return None
    try:
        told = json.loads(small_text(path, model.name))["from"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return told[:300] if isinstance(told, str) else None
