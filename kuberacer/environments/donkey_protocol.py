"""What a donkey simulator and its environment say to each other: gym-donkeycar 1.0.13's messages over TCP.

The environment is the server, the simulator its client. The simulator ends each of its messages, an object of JSON,
with a newline; the environment's come without any separator, their numbers as texts.
"""

import base64
import binascii
import io
import json
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, UnidentifiedImageError

ROWS, COLUMNS = 120, 160
MOST_BYTES = 4 << 20  # of one message; a frame's has some 10 kB
# A Unity of a country that writes 1,5 for 1.5 does so in its JSON, too.
COMMA = re.compile(r'(":-?\d+),(\d+(?:[Ee]-?\d+)?)(?=[,}])')


class Garbage(ValueError):
    """A message that says nothing."""


@dataclass(frozen=True)
class Telemetry:
    """One frame. position: x, y, z. hit: "none", or what the car has hit."""

    image: np.ndarray  # (120, 160, 3) uint8
    position: tuple[float, float, float]
    speed: float
    cte: float
    hit: str


def parse(line: bytes) -> dict[str, Any]:
    """Raises Garbage."""
    try:
        text = line.decode("utf-8")
        try:
            found = json.loads(text)
        except ValueError:
            found = json.loads(COMMA.sub(r"\1.\2", text))
    except (ValueError, RecursionError):
        raise Garbage(f"{line[:60]!r} is no JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("msg_type"), str):
        raise Garbage(f"{line[:60]!r} has no msg_type")
    return found


def telemetry(message: dict[str, Any]) -> Telemetry:
    """Raises Garbage naming what is wrong with a message of the type telemetry."""
    try:
        numbers = [float(message[key]) for key in ("pos_x", "pos_y", "pos_z", "speed")]
        numbers.append(float(message.get("cte", 0.0)))  # left out where a scene has no path
    except (KeyError, TypeError, ValueError) as error:
        raise Garbage(f"telemetry without numbers: {error!s:.60}") from None
    if not np.isfinite(numbers).all():
        raise Garbage("telemetry with numbers that are not finite")
    x, y, z, speed, cte = numbers
    return Telemetry(_picture(message.get("image")), (x, y, z), speed, cte, str(message.get("hit", "none"))[:80])


def _picture(text: Any) -> np.ndarray:
    try:
        data = base64.b64decode(text, validate=True)
        with Image.open(io.BytesIO(data), formats=("JPEG", "PNG")) as image:
            if image.size != (COLUMNS, ROWS):
                raise Garbage(f"frames of {image.width} × {image.height} pixels instead of {COLUMNS} × {ROWS}")
            return np.asarray(image.convert("RGB"))
    except Garbage:
        raise
    except (TypeError, binascii.Error, UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise Garbage(f"an image that is none: {type(error).__name__}") from None


def scene_names() -> bytes:
    return _said(msg_type="get_scene_names")


def load_scene(name: str) -> bytes:
    return _said(msg_type="load_scene", scene_name=name)


def control(steering: float, throttle: float) -> bytes:
    """steering: -1..1, right positive."""
    return _said(msg_type="control", steering=_number(steering), throttle=_number(throttle), brake="0.0")


def reset_car() -> bytes:
    return _said(msg_type="reset_car")


def _number(value: float) -> str:
    """As gym-donkeycar writes a float32."""
    return str(np.float32(value))


def _said(**message: str) -> bytes:
    return json.dumps(message).encode()
