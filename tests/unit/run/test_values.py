"""How parameters' values are typed, written on command lines and read from files."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.run.local.values import parse, to_text, to_type
from kuberacer.run.spec.model import ParameterInput, ParameterType

numbers = st.floats(allow_nan=False, allow_infinity=False)
values = st.recursive(
    st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@given(numbers)
def test_a_number_is_written_without_exponent_and_reads_back_equal(number: float) -> None:
    text = to_text(number)
    assert "e" not in text
    assert float(text) == number


@given(values.filter(lambda value: not isinstance(value, str)))
def test_other_values_read_back_equal(value: Any) -> None:
    assert json.loads(to_text(value)) == value


@given(st.text())
def test_a_text_stays_as_it_is(text: str) -> None:
    assert to_text(text) == text
    assert parse(text, ParameterType.STRING, "x") == text
    assert to_type(text, ParameterInput(ParameterType.STRING), "x") == text


def test_numbers_of_the_spec_are_whole_where_they_are_meant_so() -> None:
    assert to_text(2.0) == "2"
    assert to_text([1.0, {"a": 2.0}]) == '[1,{"a":2}]'
    assert to_type(3.0, ParameterInput(ParameterType.INTEGER), "x") == 3
    assert isinstance(to_type(3.0, ParameterInput(ParameterType.INTEGER), "x"), int)


def test_a_text_input_takes_any_value_as_json() -> None:
    assert to_type({"a": 1}, ParameterInput(ParameterType.STRING), "x") == '{"a":1}'
    assert to_type(True, ParameterInput(ParameterType.STRING), "x") == "true"


@pytest.mark.parametrize(
    ("text", "kind", "expected"),
    [
        ("3", ParameterType.INTEGER, 3),
        ("0.5\n", ParameterType.DOUBLE, 0.5),
        ("2", ParameterType.DOUBLE, 2),
        ("True", ParameterType.BOOLEAN, True),
        ("[1, 2]", ParameterType.LIST, [1, 2]),
        ('{"a": 1}', ParameterType.STRUCT, {"a": 1}),
    ],
)
def test_outputs_are_read_by_their_types(text: str, kind: ParameterType, expected: Any) -> None:
    assert parse(text, kind, "x") == expected


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("abc", ParameterType.INTEGER),
        ("1.5", ParameterType.INTEGER),
        (1.5, ParameterType.INTEGER),
        (True, ParameterType.INTEGER),
        (1, ParameterType.BOOLEAN),
        ("{}", ParameterType.LIST),
        ([], ParameterType.STRUCT),
        ("maybe", ParameterType.BOOLEAN),
    ],
)
def test_a_value_of_another_type_is_refused_by_name(value: Any, kind: ParameterType) -> None:
    with pytest.raises(UserError, match="the input speed"):
        to_type(value, ParameterInput(kind), "the input speed")


def test_only_the_literals_are_allowed() -> None:
    parameter = ParameterInput(ParameterType.STRING, literals=("sac", "dqn"))
    assert to_type("sac", parameter, "x") == "sac"
    with pytest.raises(UserError) as caught:
        to_type("ppo", parameter, "x")
    assert "sac, dqn" in caught.value.remedy
