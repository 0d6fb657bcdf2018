"""Texts on their way through Argo's substitution and the kubelet's, and expressions as they are written."""

import ast
import json
import re

from hypothesis import example, given
from hypothesis import strategies as st

from kuberacer.run.argo.expressions import Call, Name, Text, evaluate, joined, map_items, tag, written
from kuberacer.run.argo.travel import (
    ABSENT,
    EMPTY,
    JOINER,
    argument_text,
    arrive,
    arrived,
    command,
    command_text,
    travel,
    travelling,
)

TEXTS = st.text() | st.text(alphabet=f"{{}}$(){JOINER}-.?ab\n'\"\\")


def expanded(text: str, environment: dict[str, str]) -> str:
    """$(NAME) and $$ as the kubelet fills them in: unknown names stay as they are."""

    def reference(match: re.Match[str]) -> str:
        return "$" if match[0] == "$$" else environment.get(match[1], match[0])

    return re.sub(r"\$\$|\$\(([^)]*)\)", reference, text)


@given(TEXTS)
@example("{{{{{")
@example(f"{{{JOINER}-{{")
def test_what_travels_holds_nothing_for_argo_to_fill_in_and_arrives_as_it_was(text: str) -> None:
    assert "{{" not in travelling(text)
    assert arrived(travelling(text)) == text
    assert travelling(text) != ABSENT


@given(st.text(alphabet=st.characters(exclude_characters=JOINER)).filter(lambda text: "{{" not in text))
def test_a_plain_text_travels_as_it_is(text: str) -> None:
    assert travelling(text) == text


@given(TEXTS)
def test_expressions_do_what_python_does(text: str) -> None:
    name = Name("inputs.parameters", "x")
    assert evaluate(travel(name), {"inputs.parameters.x": text}) == travelling(text)
    assert evaluate(arrive(name), {"inputs.parameters.x": travelling(text)}) == text
    assert evaluate(command(name), {"inputs.parameters.x": text}) == command_text(text)


@given(TEXTS)
@example("$$(KUBERACER_EMPTY)")
def test_a_command_is_what_it_was_once_the_kubelet_has_filled_it_in(text: str) -> None:
    assert "{{" not in command_text(text)
    assert expanded(command_text(text), {EMPTY: ""}) == text


@given(TEXTS, TEXTS)
def test_texts_joined_on_the_way_arrive_whole(left: str, right: str) -> None:
    """Two texts that each end or begin with one brace."""
    both = joined([arrive(Name("left")), arrive(Name("right"))])
    found = evaluate(travel(both), {"left": travelling(left), "right": travelling(right)})
    assert "{{" not in found
    assert arrived(found) == left + right


@given(st.lists(TEXTS | st.integers() | st.booleans() | st.dictionaries(TEXTS, TEXTS, max_size=2)))
def test_items_of_a_list_travel_one_by_one(items: list) -> None:
    found = evaluate(map_items(arrive(Name("list")), travel), {"list": argument_text(items)})
    assert [arrived(text) for text in json.loads(found)] == [
        item if isinstance(item, str) else argument_text_of(item) for item in items
    ]


def argument_text_of(value: object) -> str:
    return arrived(argument_text(value))


@given(TEXTS)
def test_a_literal_in_an_expression_is_plain_ascii_without_braces(text: str) -> None:
    assert ast.literal_eval(written(Text(text))) == text  # Python reads such literals as expr-lang does
    assert written(Text(text)).isascii()
    assert not set("{}\n") & set(written(Text(text)))


def test_an_expression_is_written_as_argo_reads_it() -> None:
    chosen = Call("if", (Call("==", (Name("tasks['a'].status"), Text("Succeeded"))), Name("x", "y-z"), Text("{it's}")))
    assert tag(chosen) == r"{{=((tasks['a'].status == 'Succeeded') ? x['y-z'] : '\u007bit\'s\u007d')}}"


def test_a_value_that_is_not_given_is_empty() -> None:
    assert argument_text(None) == ""
    assert argument_text(3.0) == "3"
    assert argument_text({"a": [1, True]}) == '{"a":[1,true]}'
