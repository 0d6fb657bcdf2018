"""Reading a user's YAML: one flat mapping, small, every scalar as its text; faults are UserErrors that name the place.

No tag is honoured and no alias is followed: such a file can neither make objects nor grow while it is read.
"""

from typing import Any

import yaml

from kuberacer.errors import UserError

MAX_CHARACTERS = 50_000
MAX_LIST = 1_000
_NOTHING = ("~", "null", "Null", "NULL")
Value = str | tuple[str, ...]


def read_mapping(text: str, document: str) -> dict[str, Value]:
    """The keys of `text` with their values: texts, or tuples of texts for lists. '' gives no keys.

    document: what errors call it. Raises UserError: not YAML (with line and column), too large, nested, a key twice.
    """
    if len(text) > MAX_CHARACTERS:
        raise UserError(
            f"{document}: {len(text):,} characters, at most {MAX_CHARACTERS:,}", "give the race's keys only"
        )
    root = compose(text, document, 2, _REMEDY)
    if root is None or (isinstance(root, yaml.ScalarNode) and not root.value.strip()):
        return {}
    if not isinstance(root, yaml.MappingNode):
        raise UserError(f"{document}: it has no keys", _REMEDY)
    found: dict[str, Value] = {}
    for key, value in root.value:
        if not isinstance(key, yaml.ScalarNode):
            raise UserError(f"{document}: a key at line {key.start_mark.line + 1} is no word", _REMEDY)
        if key.value in found:
            raise UserError(f"{document}: the key {key.value:.60} is given twice", f"give {key.value:.60} once")
        found[key.value] = _value(key.value, value, document)
    return found


_REMEDY = "write lines of the form KEY: value, as in docs/race.md"


def read_nested(text: str, document: str, deepest: int, remedy: str) -> Any:
    """The text as dictionaries, lists and texts, as deep as that; None of a blank one. Raises UserError."""

    def value(node: yaml.Node | None) -> Any:
        if isinstance(node, yaml.SequenceNode):
            return [value(item) for item in node.value]
        if isinstance(node, yaml.ScalarNode):
            return None if node.style is None and node.value in ("", *_NOTHING) else node.value
        if not isinstance(node, yaml.MappingNode):
            return None
        found: dict[str, Any] = {}
        for key, content in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise UserError(f"{document}: a key at line {key.start_mark.line + 1} is no word", remedy)
            if key.value in found:
                raise UserError(f"{document}: the key {key.value:.60} is given twice", f"give {key.value:.60} once")
            found[key.value] = value(content)
        return found

    return value(compose(text, document, deepest, remedy))


def compose(text: str, document: str, deepest: int, remedy: str) -> yaml.Node | None:
    """The text's nodes, not one object of Python's made of them; None of a blank one.

    Raises UserError: not YAML (with line and column), an alias, more than `deepest` lists and mappings in one another.
    """
    try:
        _check_shape(text, document, deepest, remedy)
        return yaml.compose(text, Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise UserError(f"{document}: not YAML: {error.problem or error}{place}", remedy) from None
    except yaml.YAMLError as error:
        raise UserError(f"{document}: not YAML: {str(error).splitlines()[0]}", remedy) from None


def _check_shape(text: str, document: str, deepest: int, remedy: str) -> None:
    """Refuse aliases and depth before anything is built of the text."""
    depth = 0
    for event in yaml.parse(text, Loader=yaml.BaseLoader):
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise UserError(f"{document}: an anchor or alias at line {line}", "write the value out where it is needed")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > deepest:
            raise UserError(f"{document}: nested too deeply at line {line}", remedy)


def _value(key: str, node: yaml.Node, document: str) -> Value:
    if isinstance(node, yaml.ScalarNode):
        return "" if node.style is None and node.value in _NOTHING else node.value
    if isinstance(node, yaml.SequenceNode) and all(isinstance(item, yaml.ScalarNode) for item in node.value):
        if len(node.value) > MAX_LIST:
            raise UserError(f"{document}: {key:.60} has {len(node.value):,} values", f"give at most {MAX_LIST:,}")
        return tuple(item.value for item in node.value)
    raise UserError(f"{document}: {key:.60} is neither a value nor a list of values", _REMEDY)
