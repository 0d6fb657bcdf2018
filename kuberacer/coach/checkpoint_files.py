"""The files of a checkpoint folder, named as rl_coach and DeepRacer name them."""

from pathlib import Path

from kuberacer.errors import UserError

POINTER = ".coach_checkpoint"  # holds the newest checkpoint's name
STATE = "kuberacer_state.json"
HYPERPARAMETERS = "hyperparameters.json"  # what train adds: all that have a value
PRESET = "preset.py"  # and the preset's source, where there is one
PARTS = (".data-00000-of-00001", ".index", ".meta")


def checkpoint_name(iteration: int, steps: int) -> str:
    return f"{iteration}_Step-{steps}.ckpt"


def newest(folder: Path) -> Path:
    """The newest checkpoint's path without its parts' endings. Raises UserError naming what is missing."""
    pointer = folder / POINTER
    if not pointer.is_file():
        raise UserError(f"{folder}: no checkpoint here ({POINTER} is missing)", "give a folder that train has written")
    name = pointer.read_text().strip()
    if not name or Path(name).name != name:
        raise UserError(f"{pointer}: holds {name!r}", "it must hold the name of a checkpoint beside it")
    for part in PARTS:
        if not (folder / f"{name}{part}").is_file():
            raise UserError(f"{folder}: {name}{part} is missing", "fetch the whole checkpoint")
    return folder / name
