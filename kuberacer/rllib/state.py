"""What a training goes on from, as numbers: an .npz of arrays, and a JSON file that says where they belong.

Nothing is unpickled. RLlib's own checkpoints are pickles, and leave the current KL coefficient out.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.errors import UserError

ARRAYS, LAYOUT = "weights.npz", "weights.json"
MOST_BYTES = 4 << 30


def write_state(folder: Path, state: dict[str, Any]) -> None:
    """Dictionaries, lists and tuples of arrays, numbers, texts and None."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, np.ndarray] = {}
    layout = _laid_out(state, arrays)
    np.savez(folder / ARRAYS, **arrays)  # type: ignore[arg-type]
    (folder / LAYOUT).write_text(json.dumps(layout), encoding="utf-8")


def read_state(folder: Path) -> dict[str, Any]:
    """Raises UserError for what write_state has not written."""
    try:
        layout = json.loads((folder / LAYOUT).read_text(encoding="utf-8"))
        with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
            if sum(info.file_size for info in arrays.zip.infolist()) > MOST_BYTES:
                raise ValueError(f"it has more than {MOST_BYTES >> 30} GiB")
            state = _put_together(layout, arrays)
        if not isinstance(state, dict):
            raise ValueError("it holds no dictionary")
        return state
    except (OSError, ValueError, KeyError, TypeError, EOFError, RecursionError) as error:
        raise UserError(
            f"{folder}: no state of a training ({error})", "give the checkpoint of a run of this version"
        ) from None


def _laid_out(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, dict):
        return {"pairs": [[key, _laid_out(each, arrays)] for key, each in value.items()]}
    if isinstance(value, list | tuple):
        return {type(value).__name__: [_laid_out(each, arrays) for each in value]}
    if hasattr(value, "detach"):  # a tensor
        value = value.detach().cpu().numpy()
    if isinstance(value, np.ndarray | np.generic):
        name = f"a{len(arrays)}"
        arrays[name] = np.asarray(value)
        return {"array": name}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a {type(value).__name__} in a training's state")


def _put_together(layout: Any, arrays: Any) -> Any:
    if not isinstance(layout, dict):
        return layout
    ((kind, content),) = layout.items()
    if kind == "pairs":
        return {key: _put_together(each, arrays) for key, each in content}
    if kind in ("list", "tuple"):
        made = [_put_together(each, arrays) for each in content]
        return made if kind == "list" else tuple(made)
    if kind == "array":
        return arrays[content]
    raise ValueError(f"{kind} in its layout")
