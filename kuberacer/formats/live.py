"""What a training tells those who watch it: JSON under <run>/live/ in the object store.

about.json: what is trained, and how that ended. now.json: how it is at this moment, at least every BEAT_S. watched: an
empty object that watchers renew every RENEW_S; while it is younger than WATCHED_S, now.json comes every second, with
the cars, what a camera sees, and the workers.
"""

import json
import math
from typing import Any

EVERY_S, BEAT_S, RENEW_S, WATCHED_S = 1.0, 20.0, 5.0, 15.0
SILENT_S = 3 * BEAT_S  # a training that was not heard of for so long has ended, whatever it said last
MOST_BYTES = 4 << 20  # of each object
TRAINING, TRAINED, FAILED, STOPPED = "training", "trained", "failed", "stopped"


def about_key(run: str) -> str:
    return f"{run}/live/about.json"


def now_key(run: str) -> str:
    return f"{run}/live/now.json"


def watched_key(run: str) -> str:
    return f"{run}/live/watched"


def outline(name: str, length: float, width: float, closed: bool, **lines: Any) -> dict[str, Any]:
    """A track as pages draw it. length, width: metres; lines: center, inner, outer, arrays (P, 2) in metres."""
    points = {key: [[round(float(x), 3), round(float(y), 3)] for x, y in line] for key, line in lines.items()}
    return {"name": name, "length": round(length, 3), "width": round(width, 3), "closed": closed, **points}


def to_text(value: Any) -> str:
    """JSON that every reader takes: null for a number that JSON does not know."""
    try:
        return json.dumps(value, allow_nan=False, separators=(",", ":"))
    except ValueError:  # rare, and to look for it takes longer than to write the text
        return json.dumps(_finite(value), separators=(",", ":"))


def to_value(text: str | bytes) -> Any:
    """What a JSON text says, None for every number that is not finite. Raises ValueError, RecursionError."""
    return json.loads(text, parse_constant=_none, parse_float=_finite_number)


def read(text: bytes) -> dict[str, Any] | None:
    """The object that a text holds; None for what is none, or is not JSON."""
    try:
        value = to_value(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _none(_: str) -> None:
    return None


def _finite_number(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


def _finite(value: Any) -> Any:
    """The same with None for every number that JSON does not know: a diverged loss is no fault of the page."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _finite(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(each) for each in value]
    return value
