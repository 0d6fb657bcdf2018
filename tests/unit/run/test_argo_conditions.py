"""Conditions as Argo evaluates them against those of a local run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.run.argo.expressions import Text, evaluate, written
from kuberacer.run.argo.values import Value, condition_value
from kuberacer.run.local.values import to_text
from kuberacer.run.spec.condition import (
    All,
    AnyOf,
    Comparison,
    Condition,
    InputValue,
    Literal,
    Not,
    holds,
    parse_condition,
)
from kuberacer.run.spec.model import ParameterType

INPUTS = {"text": "red", "number": 3, "real": 0.5, "truth": True, "count": "12"}
KINDS = {
    "text": ParameterType.STRING,
    "number": ParameterType.INTEGER,
    "real": ParameterType.DOUBLE,
    "truth": ParameterType.BOOLEAN,
    "count": ParameterType.STRING,
}
VALUES = {name: Value(Text(to_text(value)), KINDS[name]) for name, value in INPUTS.items()}
NAMES = {"true": True, "false": False}

numbers = st.one_of(
    st.sampled_from([InputValue("number"), InputValue("real"), InputValue("count", "int")]),
    st.integers(-20, 20).map(Literal),
    st.sampled_from([0.5, 3.0, 12.0]).map(Literal),
)
texts = st.one_of(
    st.sampled_from([InputValue("text"), InputValue("count")]), st.sampled_from(["red", "12"]).map(Literal)
)
truths = st.one_of(st.just(InputValue("truth")), st.booleans().map(Literal))
symbols = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
equality = st.sampled_from(["==", "!="])
anything = st.one_of(numbers, texts, truths)
comparisons = st.one_of(
    st.builds(Comparison, numbers, symbols, numbers),
    st.builds(Comparison, texts, symbols, texts),
    st.builds(Comparison, anything, equality, anything),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        inner.map(Not),
        st.lists(inner, min_size=2, max_size=3).map(lambda several: All(tuple(several))),
        st.lists(inner, min_size=2, max_size=3).map(lambda several: AnyOf(tuple(several))),
    ),
    max_leaves=5,
)


@given(conditions)
def test_argo_decides_as_a_local_run_does(condition: Condition) -> None:
    expression = condition_value(condition, VALUES, "task a")
    assert evaluate(expression, NAMES) is holds(condition, INPUTS)
    assert "{" not in written(expression)


def test_what_the_compiler_writes_for_elif() -> None:
    text = "!(int(inputs.parameter_values['number']) > 5) && inputs.parameter_values['text'] == 'red'"
    expression = condition_value(parse_condition(text, "here"), VALUES, "task a")
    assert written(expression) == "(!((float('3') > 5)) && ('red' == 'red'))"


@pytest.mark.parametrize(
    ("condition", "cause"),
    [
        (Comparison(InputValue("text"), "<", InputValue("number")), "a text with a number by <"),
        (Comparison(InputValue("truth"), "<", Literal(True)), "a truth with a truth by <"),
        (Comparison(InputValue("list"), "==", Literal("x")), "a list or an object"),
    ],
)
def test_what_cannot_be_compared_is_refused(condition: Condition, cause: str) -> None:
    values = {**VALUES, "list": Value(Text("[]"), ParameterType.LIST)}
    with pytest.raises(UserError, match=cause):
        condition_value(condition, values, "task a")
