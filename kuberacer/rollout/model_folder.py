"""A model's folder as DeepRacer and KubeRacer keep it: where it is, which checkpoint, and whether it can be trusted.

It may be anyone's: only the files that have DeepRacer's names are read, with checked sizes.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kuberacer.coach.checkpoint_files import PARTS
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError
from kuberacer.formats.checkpoints_json import Checkpoints
from kuberacer.rollout.model_files import MAX_TEXT_BYTES, METADATA

LIST, HYPERPARAMETERS = "deepracer_checkpoints.json", "hyperparameters.json"
NAME = re.compile(r"(\d{1,7})_Step-(\d{1,12})\.ckpt")  # iteration, steps
DEEPEST = 4  # folders that a model folder may lie below
WHOLE = "give the model folder; a car's archive has only the frozen graph, which cannot be trained on"


@dataclass(frozen=True)
class ModelFolder:
    """One checkpoint in a folder."""

    folder: Path
    name: str  # N_Step-M.ckpt
    metadata: ModelMetadata

    @property
    def prefix(self) -> Path:
        return self.folder / self.name

    @property
    def iteration(self) -> int:
        return numbers(self.name)[0]

    @property
    def steps(self) -> int:
        return numbers(self.name)[1]

    @classmethod
    def find(cls, folder: Path, which: str) -> "ModelFolder":
        """The "best" or "last" checkpoint of the model in `folder` or below it. Raises UserError."""
        model = _model_below(folder)
        place = model.name if model != folder else folder.name
        listed = small_text(model / LIST, place) if (model / LIST).is_file() else None
        name = choose((path.name for path in model.iterdir()), listed, which, place)
        try:
            metadata = ModelMetadata.parse(small_text(model / METADATA, place))
        except UserError as error:
            raise UserError(f"{place}: {error.cause}", error.remedy) from None
        return cls(model, name, metadata)


def numbers(name: str) -> tuple[int, int]:
    """(iteration, steps) of `N_Step-M.ckpt`. Raises UserError for another name."""
    found = NAME.fullmatch(name)
    if found is None:
        raise UserError(f"{name[:80]!r} is not a checkpoint's name", "a checkpoint is named N_Step-M.ckpt")
    return int(found[1]), int(found[2])


def complete(names: Iterable[str]) -> list[str]:
    """The checkpoints among a folder's files that are there with all their parts, the newest last."""
    there = set(names)
    stems = {name.removesuffix(".index") for name in there if NAME.fullmatch(name.removesuffix(".index"))}
    return sorted((stem for stem in stems if all(f"{stem}{part}" in there for part in PARTS)), key=numbers)


def choose(names: Iterable[str], listed: str | None, which: str, place: str) -> str:
    """The name of the "best" or "last" checkpoint of a model folder with these files.

    listed: the text of its deepracer_checkpoints.json; without that, the newest one is both. place: for errors.
    """
    if which not in ("best", "last"):
        raise UserError(f"the checkpoint is {which!r:.40}", "give best or last")
    there = complete(names)
    if not there:
        raise UserError(f"{place}: no whole checkpoint (N_Step-M.ckpt with {', '.join(PARTS)}) is here", WHOLE)
    if listed is None:
        return there[-1]
    try:
        entries = Checkpoints.parse(listed)
        name = (entries.best_checkpoint if which == "best" else entries.last_checkpoint).name
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{place}: {LIST} is damaged: {error!s:.80}", "mend it, or remove it") from None
    if name not in there:
        raise UserError(
            f"{place}: {LIST} names {name!r:.80} as {which}, which is not here with all its parts",
            f"here are {', '.join(there[-3:])}; take the whole folder, or the other one of best and last",
        )
    return name


def small_text(path: Path, place: str) -> str:
    """A text file of at most MAX_TEXT_BYTES, not through a link. Raises UserError."""
    if not path.is_file() or path.is_symlink():
        raise UserError(f"{place}: {path.name} is missing", "give the whole model folder")
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise UserError(f"{place}: {path.name} is larger than {MAX_TEXT_BYTES >> 20} MiB", "give a DeepRacer model")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise UserError(f"{place}: {path.name} is no text", "give a DeepRacer model") from None


def _model_below(folder: Path) -> Path:
    """The one folder that holds a model's metadata and checkpoints."""
    found = []
    level = [folder]
    for _ in range(DEEPEST + 1):
        found += [place for place in level if complete(path.name for path in place.iterdir())]
        level = [path for place in level for path in sorted(place.iterdir()) if path.is_dir() and not path.is_symlink()]
    if not found:
        raise UserError(f"{folder.name}: no whole checkpoint (N_Step-M.ckpt with {', '.join(PARTS)}) is here", WHOLE)
    if len(found) > 1:
        names = ", ".join(str(place.relative_to(folder)) for place in found[:4])
        raise UserError(f"{folder.name} holds {len(found)} models: {names}", "give the folder of one of them")
    return found[0]


# What a pickle or an archive begins with, and names under which pickles travel.
PICKLES = (".pkl", ".pickle", ".p", ".joblib", ".dill", ".pt", ".pth", ".npz")
ARCHIVES = {
    b"PK\x03\x04": "zip", b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zXZ": "xz", b"\x28\xb5\x2f\xfd": "zstd",
    b"7z\xbc\xaf": "7z", b"Rar!": "rar",
}  # fmt: skip
CAR_ARCHIVES = ("model.tar.gz", "carfile.tar.gz")  # DeepRacer's own; they stay packed


def refuse_pickles(folder: Path) -> None:
    """Raises UserError naming a file below an unpacked folder that is a pickle, or an archive that may hold some."""
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or path.name.endswith(PARTS):  # TensorFlow's own, whose bytes may be anything
            continue
        name = path.relative_to(folder).as_posix()
        with path.open("rb") as file:
            start = file.read(256)
        if path.name.lower().endswith(PICKLES) or re.match(rb"\x80[\x02-\x05][\x00-\xff]", start) or _objects(start):
            raise UserError(f"{name} is a pickle", "pack the model folder's own files only; pickles run code")
        kind = next((kind for magic, kind in ARCHIVES.items() if start.startswith(magic)), None)
        if kind is not None and path.name not in CAR_ARCHIVES:
            raise UserError(f"{name} is an archive ({kind}) within the archive", "pack the model folder's own files")


def _objects(start: bytes) -> bool:
    """Of a NumPy file: whether its values are Python objects, which are pickled."""
    return start.startswith(b"\x93NUMPY") and b"O" in start[10:].partition(b"'descr':")[2].partition(b",")[0]
