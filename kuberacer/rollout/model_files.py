"""A trained model out of the object store: DeepRacer's `<prefix>/model/` folder, of this or of somebody else's run.

It is other people's: files have checked names and sizes, nothing is unpickled, no graph is run in TensorFlow.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from kuberacer.coach import checkpoint_files
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.formats.checkpoints_json import Checkpoints
from kuberacer.settings import StoreSettings
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import NotFoundError, ObjectStore, split_address

METADATA, GRAPH = "model_metadata.json", "model.pb"
MAX_TEXT_BYTES, MAX_GRAPH_BYTES = 1 << 20, 512 << 20
_CHECKPOINT = re.compile(r"(\d{1,9})_Step-\d{1,12}\.ckpt")


def open_store(settings: StoreSettings, address: str) -> tuple[ObjectStore, str]:
    """(the store, the prefix) of `s3://bucket/prefix`, or of a prefix in the run's own bucket."""
    bucket, prefix = settings.kuberacer_s3_bucket, address
    if "://" in address:
        bucket, prefix = split_address(address)
    return ObjectStore(settings.model_copy(update={"kuberacer_s3_bucket": bucket})), prefix.strip("/")


def check_model(settings: StoreSettings, address: str, which: str) -> None:
    """Raises UserError when there is no such model: before anything is trained for a race against it."""
    store, prefix = open_store(settings, address)
    _metadata(store, prefix)
    names = _names(store, prefix)
    _source(store, prefix, _iteration(store, prefix, which, names), names)


def fetch_model(store: ObjectStore, prefix: str, which: str, folder: Path) -> ModelMetadata:
    """Write a model's GRAPH and METADATA into a folder. which: "best", "last", an iteration or a checkpoint's name.

    Raises UserError naming what is missing or unfit."""
    metadata, text = _metadata(store, prefix)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / METADATA).write_bytes(text)
    fetch_graph(store, prefix, which, metadata, folder)
    return metadata


def fetch_graph(store: ObjectStore, prefix: str, which: str, metadata: ModelMetadata, folder: Path) -> int:
    """Write the frozen GRAPH of one of a run's checkpoints into a folder; its iteration. Raises UserError.

    Where only the checkpoint itself is there, it is frozen here."""
    names = _names(store, prefix)
    iteration = _iteration(store, prefix, which, names)
    source = _source(store, prefix, iteration, names)
    folder.mkdir(parents=True, exist_ok=True)
    if source.endswith(".pb"):
        _fetch(store, f"{prefix}/model/{source}", folder / GRAPH)
        return iteration
    for part in checkpoint_files.PARTS:
        _fetch(store, f"{prefix}/model/{source}{part}", folder / f"{source}{part}")
    (folder / checkpoint_files.POINTER).write_text(source)
    from kuberacer.coach.freeze import freeze_checkpoint  # not at the top: TensorFlow, which workers do without

    freeze_checkpoint(folder, folder / GRAPH, metadata)
    return iteration


def _names(store: ObjectStore, prefix: str) -> set[str]:
    return {key.rsplit("/", 1)[1] for key in store.list(f"{prefix}/model/")}


def _metadata(store: ObjectStore, prefix: str) -> tuple[ModelMetadata, bytes]:
    text = _small(store, f"{prefix}/model/{METADATA}", "give MODEL_S3_PREFIX of a published model")
    try:
        return ModelMetadata.parse(text.decode("utf-8")), text
    except UnicodeDecodeError:
        raise UserError(f"{store.address(prefix)}: {METADATA} is no text", "give a model that was published") from None
    except UserError as error:
        raise UserError(f"{store.address(prefix)}: {error.cause}", error.remedy) from None


def _source(store: ObjectStore, prefix: str, iteration: int, names: set[str]) -> str:
    """The name of an iteration's frozen graph, or where there is none of its checkpoint."""
    if f"model_{iteration}.pb" in names:
        return f"model_{iteration}.pb"
    for name in _checkpoints(names):
        if name.startswith(f"{iteration}_"):
            return name
    there = [str(number) for number in sorted(_iterations(names))]
    shown = ", ".join(there if len(there) < 7 else [*there[:3], "…", *there[-3:]]) or "none"
    raise UserError(
        f"{store.address(prefix)} has no model of iteration {iteration}",
        f"EVAL_CHECKPOINT takes best, last, or an iteration that is there: {shown}",
    )


def _iteration(store: ObjectStore, prefix: str, which: str, names: set[str]) -> int:
    named = _CHECKPOINT.fullmatch(which)
    if (which.isascii() and which.isdigit()) or named:
        return int(named[1] if named else which)
    if which not in ("best", "last"):
        raise UserError(f"EVAL_CHECKPOINT is {which!r}", "give best, last, or the number of an iteration")
    if which == "last":  # a run that was published lists its best checkpoint as the last, too
        manifest = CheckpointStore(store, prefix).find("last")
        if manifest is not None:
            return manifest.iteration
    if "deepracer_checkpoints.json" in names:
        text = _small(store, f"{prefix}/model/deepracer_checkpoints.json", "give a run that has trained")
        try:
            listed = Checkpoints.parse(text.decode("utf-8"))
            chosen = _CHECKPOINT.fullmatch((listed.best_checkpoint if which == "best" else listed.last_checkpoint).name)
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"{store.address(prefix)}: deepracer_checkpoints.json is damaged: {error!s:.80}",
                "give the number of an iteration as EVAL_CHECKPOINT",
            ) from None
        if chosen:
            return int(chosen[1])
    found = _iterations(names)
    if not found:
        raise UserError(f"there is no model below {store.address(prefix)}/model/", "name a run that has trained")
    return max(found)


def _checkpoints(names: Iterable[str]) -> list[str]:
    """The checkpoints that are there with all their parts."""
    there = set(names)
    stems = {name.removesuffix(".index") for name in there if _CHECKPOINT.fullmatch(name.removesuffix(".index"))}
    return sorted(stem for stem in stems if all(f"{stem}{part}" in there for part in checkpoint_files.PARTS))


def _iterations(names: Iterable[str]) -> set[int]:
    graphs = {int(found[1]) for name in names if (found := re.fullmatch(r"model_(\d{1,9})\.pb", name))}
    return graphs | {int(name.partition("_")[0]) for name in _checkpoints(names)}


def _small(store: ObjectStore, key: str, remedy: str) -> bytes:
    try:
        _check_size(store, key, MAX_TEXT_BYTES)
        return store.get_bytes(key)
    except NotFoundError:
        raise UserError(f"there is no {store.address(key)}", remedy) from None


def _fetch(store: ObjectStore, key: str, path: Path) -> None:
    _check_size(store, key, MAX_GRAPH_BYTES)
    store.get_file(key, path)


def _check_size(store: ObjectStore, key: str, most: int) -> None:
    size = store.size(key)
    if size is not None and size > most:
        raise UserError(f"{store.address(key)} has {size >> 20} MiB, more than {most >> 20}", "give a DeepRacer model")
