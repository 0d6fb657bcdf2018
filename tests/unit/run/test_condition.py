"""Conditions as KFP's compiler writes them."""

import operator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.run.spec.condition import holds, inputs_of, parse_condition

OPERATORS = {
    "==": operator.eq, "!=": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
}  # fmt: skip
VALUES = {"n": 7, "x": 2.5, "word": "red", "yes": True, "pipelinechannel--a-b": 1}


def value(name: str) -> str:
    return f"inputs.parameter_values['{name}']"


@given(st.integers(-9, 9), st.sampled_from(sorted(OPERATORS)), st.integers(-9, 9))
def test_numbers_are_compared_as_python_does(left: int, symbol: str, right: int) -> None:
    text = f"int({value('n')}) {symbol} {right}"
    assert holds(parse_condition(text, "here"), {"n": left}) == OPERATORS[symbol](left, right)


terms = st.recursive(
    st.sampled_from([("true == true", True), ("1 > 2", False), (f"{value('word')} == 'red'", True)]),
    lambda inner: st.one_of(
        st.tuples(inner).map(lambda t: (f"!({t[0][0]})", not t[0][1])),
        st.tuples(inner, inner).map(lambda t: (f"({t[0][0]}) && ({t[1][0]})", t[0][1] and t[1][1])),
        st.tuples(inner, inner).map(lambda t: (f"({t[0][0]}) || ({t[1][0]})", t[0][1] or t[1][1])),
    ),
    max_leaves=8,
)


@given(terms)
def test_logic(term: tuple[str, bool]) -> None:
    text, expected = term
    assert holds(parse_condition(text, "here"), VALUES) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"!(int({value('n')}) > 20) && int({value('n')}) > 5", True),
        (f"{value('yes')} == true", True),
        (f"{value('x')} >= double(2)", True),
        (f"double({value('n')}) == 7.0", True),
        (f"{value('word')} != 'blue && red'", True),
        (f"{value('word')} == '1'", False),
        (f"{value('yes')} == 'true'", False),
        (f"{value('pipelinechannel--a-b')} == 1", True),
    ],
)
def test_what_the_compiler_writes(text: str, expected: bool) -> None:
    assert holds(parse_condition(text, "here"), VALUES) is expected


def test_names_of_inputs() -> None:
    assert inputs_of(parse_condition(f"!({value('a')} == 1) && {value('b')} < {value('c')}", "here")) == {"a", "b", "c"}


@pytest.mark.parametrize(
    "text",
    ["", "1", "1 +", "has(x)", f"{value('n')} == 'it's'", "(1 == 1", "1 == 1 1", f"'int({value('n')})' == '3'"],
)
def test_what_is_not_understood_is_named(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_condition(text, "task x")
    assert "task x" in caught.value.cause


def test_order_of_different_kinds_is_an_error() -> None:
    values: dict[str, Any] = {"word": "red"}
    with pytest.raises(UserError, match="compares"):
        holds(parse_condition(f"{value('word')} > 3", "here"), values)
