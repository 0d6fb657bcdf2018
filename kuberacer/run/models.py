"""Models on the user's side: imported, exported, and given to a run to begin with."""

import contextlib
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from kuberacer.errors import UserError
from kuberacer.run.record import earlier_remote
from kuberacer.run.stage import run_stage

if TYPE_CHECKING:  # boto3 is slow to import
    from kuberacer.store.client import ObjectStore

METADATA, POINTER, ORIGIN = "model_metadata.json", ".coach_checkpoint", "origin.json"
IMPORTED = "models"  # the folder of imported models, in that of all runs
_TRAVELS = re.compile(
    r"\d{1,7}_Step-\d{1,12}\.ckpt\.(data-00000-of-00001|index|meta)"
    r"|(model_metadata|hyperparameters|kuberacer_state|deepracer_checkpoints|origin)\.json"
)


def import_model(out: Path, source: str, which: str, name: str) -> list[str]:
    """Make OUT/models/<name> of a DeepRacer model. Raises UserError, and leaves nothing then."""
    name = name or _name_of(source)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise UserError(f"{name!r} is no name for a model", "give NAME of letters, digits, points, - and _")
    place = out / IMPORTED / name
    if place.exists():
        raise UserError(f"{place} is there", "give NAME another name, or remove that folder")
    place.parent.mkdir(parents=True, exist_ok=True)
    # Not the stage's to remove: whatever becomes of it, nothing stays behind.
    with tempfile.TemporaryDirectory(prefix=".import-", dir=place.parent) as scratch:
        made = Path(scratch) / "made"
        options = {"from": source, "which": which, "scratch": f"{scratch}/scratch", "output": str(made)}
        run_stage("import_model", options)
        made.replace(place)
    return [f"imported: {place}", f"to train on from it: make run-pipeline PRETRAINED={name}"]


def export_model(out: Path, run: str, to: str, which: str) -> list[str]:
    """Write a run's or an imported model in DeepRacer's layout. Raises UserError."""
    folder = find(out, run)
    target = to if to.startswith("s3://") else str(Path(to).resolve())
    with tempfile.TemporaryDirectory(prefix=".export-", dir=out) as scratch:
        options = {"which": which, "scratch": f"{scratch}/scratch", "to": target}
        if folder is None:  # a run of the bucket
            run_stage("export_model", {**options, "from": run})
            return []
        reward = next((path for path in (folder / "reward_function.py",) if path.is_file()), None)
        more = {"reward": str(reward)} if reward else {}
        with checkpoint_of(folder, which) as model:
            run_stage("export_model", {**options, **more, "from": str(model)})
    return []


def find(out: Path, given: str) -> Path | None:
    """The folder that a name or path of this machine means; None for what may be in the bucket of the settings.

    Raises UserError when it can be nowhere."""
    for path in (out / given, out / IMPORTED / given, Path(given)):
        if path.is_dir():
            return path.resolve()
    if given.startswith("s3://") or os.environ.get("KUBERACER_S3_BUCKET"):
        return None
    raise UserError(
        f"there is no model {given}: neither a run or a model in {out}, nor a folder",
        "give a run's name, the name of an imported model, a model folder, or an s3:// address",
    )


def pretrained(out: Path, given: str, on_cluster: bool) -> str:
    """What a run keeps as its parameter: an absolute folder, an address, or a run's name in the stages' own store."""
    if on_cluster and not given.startswith("s3://"):
        run = out / given
        if not run.is_dir() and not (out / IMPORTED / given).is_dir() and not Path(given).is_dir():
            return given
        if run.is_dir() and earlier_remote(run.resolve()) is not None:
            return run.resolve().name
    folder = find(out, given)
    return given if folder is None else str(folder)


def algorithm_of(given: str) -> str | None:
    """The algorithm of a model in a folder of this machine, as far as it is known."""
    folder = Path(given)
    for path in (folder / METADATA, folder / "model" / METADATA):
        with contextlib.suppress(OSError, ValueError, AttributeError):
            found = json.loads(path.read_text(encoding="utf-8")).get("training_algorithm")
            return found if isinstance(found, str) else None
    with contextlib.suppress(OSError, ValueError, AttributeError):
        found = json.loads((folder / "run.json").read_text(encoding="utf-8")).get("algorithm")
        return found if isinstance(found, str) else None
    return None


def put_pretrained(store: "ObjectStore", given: str, which: str) -> str:
    """The address, by its content, of the model of a folder of this machine; addresses and names stay as they are."""
    folder = Path(given)
    if given.startswith("s3://") or not folder.is_absolute() or not folder.is_dir():
        return given
    with checkpoint_of(folder, which) as model:
        files = sorted(path for path in model.iterdir() if path.is_file() and _TRAVELS.fullmatch(path.name))
        if not any(path.name == METADATA for path in files):
            raise UserError(f"{model} has no {METADATA}", "give a run that has trained, or a whole model folder")
        digest = hashlib.sha256()
        for file in files:
            with file.open("rb") as opened:
                digest.update(file.name.encode() + hashlib.file_digest(opened, "sha256").digest())
        prefix = f"inputs/{digest.hexdigest()[:16]}"
        for file in files:
            key = f"{prefix}/model/{file.name}"
            if store.size(key) != file.stat().st_size:
                store.put_file(key, file)
        if not any(path.name == ORIGIN for path in files):
            store.put_bytes(f"{prefix}/model/{ORIGIN}", json.dumps({"from": folder.name}).encode())
        return store.address(prefix)


@contextlib.contextmanager
def checkpoint_of(folder: Path, which: str) -> Iterator[Path]:
    """The folder with the best or last checkpoint of a run of this machine, or of a model folder.

    What a run has published is its best one; the last one, and those of a run that has not ended, are in its store.
    """
    model = folder / "model" if (folder / "model").is_dir() else folder
    is_run = (folder / "run.json").is_file()
    if not is_run or (which == "best" and (model / POINTER).is_file()):
        yield model
        return
    from kuberacer.run.store import object_store  # not at the top: boto3 is slow to import
    from kuberacer.store.checkpoints import CheckpointStore

    if not (folder / ".store").is_dir() and not os.environ.get("KUBERACER_S3_BUCKET"):
        raise UserError(
            f"the {which} checkpoint of {folder.name} is not on this machine",
            "set KUBERACER_S3_BUCKET to the store of that run, or take the best one of a run that has ended",
        )
    with object_store(folder / ".store") as store, tempfile.TemporaryDirectory() as place:
        checkpoints = CheckpointStore(store.objects, folder.name)
        manifest = checkpoints.find(which)
        if manifest is None:
            raise UserError(f"{folder.name} has no {which} checkpoint", "name a run that has trained an iteration")
        checkpoints.load(manifest, Path(place))
        yield Path(place)


def _name_of(source: str) -> str:
    name = Path(source.rstrip("/")).name
    for ending in (".tar.gz", ".tgz", ".tar", ".zip"):
        name = name.removesuffix(ending)
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip(".-")
