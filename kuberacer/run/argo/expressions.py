"""Expressions of Argo (expr-lang): built as a tree, written into templates, and evaluated in Python by tests."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Text:
    value: str


@dataclass(frozen=True)
class Name:
    """A variable; key: one entry of it, for names that hold hyphens."""

    path: str
    key: str | None = None


@dataclass(frozen=True)
class Call:
    """One of FUNCTIONS."""

    function: str
    arguments: tuple["Expression", ...]


Expression = Text | Name | Call


def _to_text(value: Any) -> str:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _entry(text: str, key: str) -> str:
    return _to_text(json.loads(text)[key])


def _entry_if_any(text: str, key: str) -> str:
    return _to_text(json.loads(text).get(key, ""))


def _metadata(executor_output: str, name: str, written: str) -> str:
    listed = json.loads(executor_output).get("artifacts", {}).get(name, {}).get("artifacts") or [{}]
    return json.dumps({**json.loads(written), **listed[0].get("metadata", {})})


_ITEM = '(type(#) == "string" ? # : toJson(#))'
# How each is written, and what it does
FUNCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "replace": ("replace({0}, {1}, {2})", lambda text, old, new: text.replace(old, new)),
    "if": ("({0} ? {1} : {2})", lambda test, then, otherwise: then if test else otherwise),
    "==": ("({0} == {1})", lambda a, b: a == b),
    "!=": ("({0} != {1})", lambda a, b: a != b),
    "<": ("({0} < {1})", lambda a, b: a < b),
    "<=": ("({0} <= {1})", lambda a, b: a <= b),
    ">": ("({0} > {1})", lambda a, b: a > b),
    ">=": ("({0} >= {1})", lambda a, b: a >= b),
    "not": ("!({0})", lambda a: not a),
    "longer": ("(len({0}) > {1})", lambda text, limit: len(text) > limit),
    "number": ("float({0})", float),
    "trim": ("trim({0})", lambda text: text.strip()),
    "lower": ("lower({0})", lambda text: text.lower()),
    "sha256": ("sprig.sha256sum({0})", lambda text: hashlib.sha256(text.encode()).hexdigest()),
    "first two": ("{0}[0:2]", lambda text: text[:2]),
    "entry": (f"map([fromJSON({{0}})[{{1}}]], {_ITEM})[0]", _entry),
    "entry if any": (f"map([fromJSON({{0}})[{{1}}] ?? ''], {_ITEM})[0]", _entry_if_any),
    # KFP's executor output, the name of an artifact, its metadata in the pipeline: what a step wrote comes on top
    "metadata": (
        "toJson(sprig.mergeOverwrite(fromJSON({2}), "
        "fromJSON({0})?.artifacts?.[{1}]?.artifacts?.[0]?.metadata ?? fromJSON('\\u007b\\u007d')))",
        _metadata,
    ),
    "json": ("toJson({0})", lambda value: json.dumps(value, ensure_ascii=False)),
    "item": (_ITEM, _to_text),
    # Lists of JSON texts, with null for what an iteration did not put out
    "texts of": ("toJson(filter(map(fromJSON({0}), fromJSON(#)), # != nil))", lambda text: _listed(text, str)),
    "values of": (
        "toJson(map(filter(map(fromJSON({0}), fromJSON(#)), # != nil), fromJSON(#)))",
        lambda text: _listed(text, json.loads),
    ),
}


def _listed(text: str, read: Callable[[str], Any]) -> str:
    found = [json.loads(item) for item in json.loads(text)]
    return json.dumps([read(item) for item in found if item is not None])


def number(value: float) -> Name:
    return Name(repr(value))


def joined(parts: list[Expression]) -> Expression:
    """The parts one after another."""
    merged: list[Expression] = []
    for part in parts:
        if merged and isinstance(part, Text) and isinstance(merged[-1], Text):
            merged[-1] = Text(merged[-1].value + part.value)
        elif part != Text(""):
            merged.append(part)
    return merged[0] if len(merged) == 1 else Call("join", tuple(merged)) if merged else Text("")


def all_of(tests: list[Expression]) -> Expression:
    return tests[0] if len(tests) == 1 else Call("and", tuple(tests))


def any_of(tests: list[Expression]) -> Expression:
    return tests[0] if len(tests) == 1 else Call("or", tuple(tests))


def map_items(listed: Expression, item: Callable[[Expression], Expression]) -> Expression:
    """A list in JSON with each of its items, as a text, put through an expression."""
    return Call("map", (listed, item(Call("item", (Name("#"),)))))


def written(expression: Expression) -> str:
    """ASCII and without braces, so that it may stand in {{=…}} anywhere."""
    match expression:
        case Text(value):
            return _quoted(value)
        case Name(path, None):
            return path
        case Name(path, key):
            return f"{path}[{_quoted(str(key))}]"
        case Call("join", parts):
            return f"({' + '.join(map(written, parts))})"
        case Call("and", parts):
            return f"({' && '.join(map(written, parts))})"
        case Call("or", parts):
            return f"({' || '.join(map(written, parts))})"
        case Call("map", (listed, item)):
            return f"toJson(map(fromJSON({written(listed)}), {written(item)}))"
        case Call(function, parts):
            return FUNCTIONS[function][0].format(*map(written, parts))


def tag(expression: Expression) -> str:
    """The expression as Argo substitutes it."""
    return f"{{{{={written(expression)}}}}}"


def _quoted(text: str) -> str:
    """An expr-lang literal. Braces would end the tag, and what is not ASCII is easily lost on the way."""

    def character(one: str) -> str:
        if one in "{}" or not " " <= one <= "~":
            code = ord(one)
            return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
        return f"\\{one}" if one in "\\'" else one

    return f"'{''.join(map(character, text))}'"


def evaluate(expression: Expression, names: Mapping[str, Any]) -> Any:
    """What Argo makes of an expression. names: the values of its variables, by path or path.key."""
    match expression:
        case Text(value):
            return value
        case Name(path, key):
            found = names.get(path if key is None else f"{path}.{key}")
            return float(path) if found is None else found
        case Call("join", parts):
            return "".join(evaluate(part, names) for part in parts)
        case Call("and", parts):
            return all(evaluate(part, names) for part in parts)
        case Call("or", parts):
            return any(evaluate(part, names) for part in parts)
        case Call("if", (test, then, otherwise)):
            return evaluate(then if evaluate(test, names) else otherwise, names)
        case Call("map", (listed, item)):
            items = json.loads(evaluate(listed, names))
            return json.dumps([evaluate(item, {**names, "#": one}) for one in items], ensure_ascii=False)
        case Call(function, parts):
            return FUNCTIONS[function][1](*(evaluate(part, names) for part in parts))


def names_of(expression: Expression) -> set[str]:
    """The paths of the variables that an expression reads."""
    match expression:
        case Text():
            return set()
        case Name(path):
            return {path}
        case Call(_, parts):
            return set().union(*map(names_of, parts))
