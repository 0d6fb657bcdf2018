"""The JSON that a training and those who watch it exchange."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.formats import live

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_every_value_is_text_that_a_strict_reader_takes_and_comes_back(value):
    def strict(name: str) -> None:
        raise AssertionError(name)

    text = live.to_text(value)
    assert json.loads(text, parse_constant=strict) == live.to_value(text) == cleaned(value)


@given(st.dictionaries(st.text(), VALUES))
def test_numbers_that_json_does_not_know_are_none_whoever_wrote_them(value):
    assert live.read(json.dumps(value).encode()) == cleaned(value)


@pytest.mark.parametrize("text", [b"", b"{", b"[1]", b"null", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5_000 + b"}"])
def test_what_is_no_object_is_none(text: bytes):
    assert live.read(text) is None


def test_a_number_beyond_floats_is_none():
    assert live.read(b'{"a": 1e999, "b": -1e999, "c": 1.5e3}') == {"a": None, "b": None, "c": 1500.0}


def cleaned(value):
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, list):
        return [cleaned(each) for each in value]
    return {key: cleaned(each) for key, each in value.items()} if isinstance(value, dict) else value
