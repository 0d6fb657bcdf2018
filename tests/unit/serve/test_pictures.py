"""Pictures: what they become, and what is refused before it is unpacked."""

import base64
import contextlib
import io
import struct
import zlib

import numpy as np
import policies
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kuberacer.serve.pictures import PictureError, frames
from kuberacer.serve.policy import Sensor

CAMERA = Sensor.model_validate(policies.CAMERA)
STACK = Sensor.model_validate({**policies.CAMERA, "shape": [120, 160, 2], "frames": 2})
COLOUR = Sensor.model_validate({"shape": [120, 160, 3], "dtype": "uint8"})
GREY = np.random.default_rng(0).integers(0, 256, (120, 160), np.uint8)


def test_a_grey_picture_arrives_bit_by_bit():
    np.testing.assert_array_equal(frames(CAMERA, policies.png(GREY))[..., 0], GREY)


def test_a_stack_is_its_pictures_in_their_order():
    found = frames(STACK, [policies.png(GREY), policies.png(255 - GREY)])
    np.testing.assert_array_equal(found, np.stack([GREY, 255 - GREY], axis=-1))
    for wrong in (policies.png(GREY), [policies.png(GREY)] * 3):
        with pytest.raises(PictureError, match="it takes 2, the oldest first"):
            frames(STACK, wrong)


def test_colours_become_grey_where_grey_is_seen():
    colour = np.stack([GREY, GREY, GREY], axis=-1)
    np.testing.assert_array_equal(frames(CAMERA, policies.png(colour))[..., 0], GREY)
    np.testing.assert_array_equal(frames(COLOUR, policies.png(colour)), colour)


def test_a_larger_camera_s_picture_is_made_smaller():
    large = policies.bright(left=True, size=(480, 640))
    np.testing.assert_array_equal(frames(CAMERA, policies.png(large))[..., 0], policies.bright(left=True))
    assert (
        np.abs(frames(CAMERA, policies.png(large, "JPEG"))[..., 0].astype(int) - policies.bright(left=True)).max() < 20
    )
    with pytest.raises(PictureError, match="a picture of 100×100 pixels, it takes the shape of 160×120"):
        frames(CAMERA, policies.png(GREY[:100, :100]))


def header(width: int, height: int) -> bytes:
    """A PNG that says so of itself."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress(bytes(1 + width) * min(height, 500))
    size = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + size + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("size", "said"), [((8_000, 6_000), "at most 4,194,304 are taken"), ((32_000, 24_000), "DecompressionBombError")]
)
def test_a_bomb_is_not_unpacked(size, said):
    bomb = header(*size)
    assert len(bomb) < 1 << 20
    with pytest.raises(PictureError, match=said):
        frames(CAMERA, base64.b64encode(bomb).decode())


@pytest.mark.parametrize("form", ["GIF", "BMP", "TIFF", "WEBP"])
def test_other_formats_are_not_opened(form):
    written = io.BytesIO()
    Image.fromarray(GREY).save(written, form)
    with pytest.raises(PictureError, match="neither PNG nor JPEG"):
        frames(CAMERA, base64.b64encode(written.getvalue()).decode())


@given(st.binary(max_size=100), st.integers(0, 400), st.binary(min_size=1, max_size=8))
def test_damage_is_told_and_nothing_else(data, place, other):
    whole = base64.b64decode(policies.png(GREY[:30, :40]))
    for damaged in (data, whole[:place], whole[:place] + other + whole[place + len(other) :]):
        with contextlib.suppress(PictureError):
            found = frames(CAMERA, base64.b64encode(damaged).decode())
            assert (found.shape, found.dtype) == ((120, 160, 1), np.uint8)
    with pytest.raises(PictureError, match="not base64"):
        frames(CAMERA, "%%%")
