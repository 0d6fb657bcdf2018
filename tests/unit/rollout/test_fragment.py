"""Fragments as bytes: nothing is lost on the way, and damaged bytes can do nothing but be refused."""

import json
import struct
import tracemalloc
import zlib
from dataclasses import fields, replace

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.rollout.fragment import MAGIC, Fragment, FragmentError, Tag, decode, encode
from tests.unit.rollout.fragments import made_up

names = st.text(min_size=1, max_size=40)
tags = st.builds(Tag, names, names, st.integers(0, 2**40), st.integers(0, 2**40))
fragments = st.builds(
    lambda time, cars, tag, depth, continuous, cut, ends, noise, views, objects, lidar, seed: made_up(
        time,
        cars,
        tag=tag,
        depth=depth,
        continuous=continuous,
        cut=min(cut, time),
        ends=ends,
        noise=noise,
        views=views,
        objects=objects,
        lidar=lidar,
        seed=seed,
    ),
    st.integers(1, 5),
    st.integers(1, 3),
    tags,
    st.integers(1, 3),
    st.booleans(),
    st.integers(0, 2),
    st.integers(0, 3),
    st.booleans(),
    st.integers(1, 2),
    st.integers(0, 2),
    st.sampled_from([0, 8]),
    st.integers(0, 99),
)
SMALL = encode(made_up(2, 1))


def same(one: Fragment, other: Fragment) -> bool:
    for field in fields(Fragment):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            if not isinstance(b, np.ndarray) or a.dtype != b.dtype or not np.array_equal(a, b):
                return False
        elif a != b:
            return False
    return True


@given(fragments)
@settings(deadline=None, max_examples=40)
def test_what_is_encoded_is_decoded(fragment: Fragment) -> None:
    assert same(decode(encode(fragment)), fragment)


@given(st.data())
@settings(deadline=None, max_examples=300)
def test_damaged_bytes_are_refused(data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(SMALL) - 1))
    value = data.draw(st.integers(0, 255).filter(lambda value: value != SMALL[place]))
    kind = data.draw(st.sampled_from(["change", "cut", "longer"]))
    broken = {
        "change": SMALL[:place] + bytes([value]) + SMALL[place + 1 :],
        "cut": SMALL[:place],
        "longer": SMALL + bytes([value]),
    }[kind]
    with pytest.raises(FragmentError):
        decode(broken)


@given(st.binary(max_size=300))
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(FragmentError):
        decode(data)


def rewritten(change, body: bytes | None = None) -> bytes:
    """SMALL with another header (change takes and returns it) and a right checksum: what an attacker would send."""
    length = struct.unpack_from("<I", SMALL, 8)[0]
    header = change(json.loads(SMALL[12 : 12 + length]))
    text = json.dumps(header).encode() if not isinstance(header, bytes) else header
    rest = struct.pack("<I", len(text)) + text + (SMALL[12 + length :] if body is None else body)
    return MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest


def with_array(name: str, kind: str | None = None, shape: list | None = None):
    def change(header: dict) -> dict:
        arrays = [
            [n, kind or k, shape if shape is not None else s] if n == name else [n, k, s]
            for n, k, s in header["arrays"]
        ]
        return {**header, "arrays": arrays}

    return change


@pytest.mark.parametrize(
    "change",
    [
        with_array("frames", shape=[2**40, 1, 1, 120, 160]),
        with_array("frames", shape=[-3, 1, 1, 120, 160]),
        with_array("frames", shape=[3.0, 1, 1, 120, 160]),
        with_array("frames", shape=[3, 1, 120, 161]),
        with_array("frames", shape=[3, 1, 120]),
        with_array("frames", kind="object"),
        with_array("rewards", kind="float32"),
        with_array("rewards", kind="O"),
        with_array("actions", kind="float32"),
        with_array("rewards", shape=[2, 2]),
        with_array("policy", shape=[2, 1, 0]),
        lambda header: {**header, "arrays": header["arrays"][1:]},
        lambda header: {**header, "arrays": [*header["arrays"], header["arrays"][0]]},
        lambda header: {**header, "arrays": [*header["arrays"], ["other", "uint8", [1]]]},
        lambda header: {**header, "arrays": [*header["arrays"], ["lidar", "float32", [3, 1, 0]]]},
        lambda header: {**header, "tag": ["s", "w", -1, 0]},
        lambda header: {**header, "tag": ["s", "w", True, 0]},
        lambda header: {**header, "tag": ["s", 5, 1, 0]},
        lambda header: {**header, "tag": ["s", "w" * 1000, 1, 0]},
        lambda header: {**header, "tag": None},
        lambda header: {**header, "noise_seed": 3},
        lambda header: {**header, "noise_seed": "3"},
        lambda header: {**header, "reward_seconds": -1.0},
        lambda header: {**header, "reward_seconds": float("inf")},
        lambda header: {**header, "reward_seconds": "1"},
        lambda header: [],
        lambda header: b"[" * 60000,
        lambda header: b"\xff\xfe",
    ],
)
def test_a_header_that_lies_is_refused(change) -> None:
    decode(rewritten(lambda header: header))
    with pytest.raises(FragmentError):
        decode(rewritten(change))


def test_what_would_unpack_beyond_the_limit_is_not_unpacked() -> None:
    bomb = zstandard.ZstdCompressor().compress(bytes(1 << 28))
    unsized = zstandard.ZstdCompressor(write_content_size=False).compress(bytes(1 << 28))
    tracemalloc.start()
    for body in (bomb, unsized):
        with pytest.raises(FragmentError):
            decode(rewritten(lambda header: header, body))
    with pytest.raises(FragmentError):
        decode(rewritten(with_array("frames", shape=[2**30, 1, 1, 120, 160])), most_bytes=1 << 20)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 << 20
    with pytest.raises(FragmentError):
        decode(SMALL, most_bytes=1000)


@pytest.mark.parametrize(
    "spoilt",
    [
        {"rewards": np.array([[np.nan], [0.0]])},
        {"policy": np.full((2, 1, 5), np.inf, np.float32)},
        {"lidar": np.full((3, 1, 8), np.nan, np.float32), "final_lidar": np.zeros((0, 8), np.float32)},
        {"actions": np.array([[5], [0]], np.int32)},
        {"actions": np.array([[-1], [0]], np.int32)},
        {"truncated": np.array([[True], [False]])},  # without its last frame
        {"final_at": np.array([[2, 0]], np.int32), "finals": np.zeros((1, 120, 160), np.uint8)},
    ],
)
def test_values_that_would_spoil_the_learning_are_refused(spoilt) -> None:
    with pytest.raises(FragmentError):
        decode(encode(replace(made_up(2, 1), **spoilt)))


@pytest.mark.parametrize(
    ("views", "depth", "lidar", "shapes"),
    [
        (1, 1, 0, ((120, 160, 1),)),
        (2, 1, 8, ((120, 160, 2), (8,))),
        (2, 4, 64, ((120, 160, 8), (64,))),
        (1, 3, 0, ((120, 160, 3),)),
    ],
)
def test_it_knows_what_a_network_needs_to_learn_from_it(views, depth, lidar, shapes) -> None:
    assert decode(encode(made_up(2, 1, views=views, depth=depth, lidar=lidar))).shapes == shapes
