"""Reading a user's JSON: every fault becomes a UserError that names the document and the place."""

import json
import math
from typing import Any

from kuberacer.errors import UserError


def read_object(text: str, document: str) -> dict[str, Any]:
    """Parse `text` as one JSON object. `document` names it in errors ("model metadata", "hyperparameters").

    Raises UserError: not JSON (with line and column), not an object, a key given twice.
    """

    def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise UserError(f"{document}: the key {key!r} is given twice", f"give {key!r} once")
            found[key] = value
        return found

    try:
        value = json.loads(text, object_pairs_hook=without_repeats)
    except json.JSONDecodeError as error:
        raise UserError(
            f"{document}: not JSON: {error.msg} at line {error.lineno}, column {error.colno}",
            f"mend the JSON text of the {document}",
        ) from None
    except RecursionError:
        raise UserError(f"{document}: nested too deeply", f"give the {document} as one flat JSON object") from None
    if not isinstance(value, dict):
        raise UserError(
            f"{document}: a JSON object is needed, not {shown(value)}", "write it as {…} with the documented keys"
        )
    return value


def shown(value: Any) -> str:
    """A value as it appears in an error: one line, cut when long."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def number(value: Any) -> float | None:
    """A finite number given as a JSON number or as a string of one; None for anything else (booleans too)."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value)
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None
