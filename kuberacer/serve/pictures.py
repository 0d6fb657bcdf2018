"""Camera pictures in requests: base64 of PNG or JPEG, with limits on what they unpack to."""

import base64
import binascii
import io
import warnings

import numpy as np
from PIL import Image

from kuberacer.serve.policy import Sensor

MOST_PIXELS = 4 << 20
FORMATS = ("PNG", "JPEG")


class PictureError(ValueError):
    """What is wrong with a picture, as who sent it reads it."""


def frames(sensor: Sensor, given: str | list[str]) -> np.ndarray:
    """The observation (rows, columns, channels) uint8 of a sensor, of its pictures: grey ones, or one in colour."""
    pictures = [given] if isinstance(given, str) else given
    if len(pictures) != sensor.pictures:
        raise PictureError(f"{len(pictures)} pictures, it takes {sensor.pictures}, the oldest first")
    rows, columns, channels = sensor.shape
    mode = "RGB" if sensor.frames is None and channels == 3 else "L"
    decoded = [_decoded(picture, mode, rows, columns) for picture in pictures]
    return np.stack(decoded, axis=-1) if mode == "L" else decoded[0]


def _decoded(text: str, mode: str, rows: int, columns: int) -> np.ndarray:
    """(rows, columns) or (rows, columns, 3) uint8."""
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise PictureError("a picture is not base64") from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:  # reads the header only
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    raise PictureError(f"a picture of {width}×{height} pixels, at most {MOST_PIXELS:,} are taken")
                if abs(width * rows - height * columns) > max(width, height):
                    raise PictureError(f"a picture of {width}×{height} pixels, it takes the shape of {columns}×{rows}")
                found = picture.convert(mode)
    except PictureError:
        raise
    except Exception as error:  # whatever a damaged file brings a decoder to
        raise PictureError(f"a picture is neither PNG nor JPEG ({type(error).__name__})") from None
    if (width, height) != (columns, rows):
        found = found.resize((columns, rows), Image.Resampling.BOX if width > columns else Image.Resampling.BILINEAR)
    return np.asarray(found)
