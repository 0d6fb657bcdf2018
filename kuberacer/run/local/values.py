"""Values of parameters: their types, how they are written on a command line and read from a file, as KFP does it."""

import json
from decimal import Decimal
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.spec.model import ParameterInput, ParameterType

_KINDS: dict[ParameterType, type | tuple[type, ...]] = {
    ParameterType.STRING: str,
    ParameterType.INTEGER: int,
    ParameterType.DOUBLE: (int, float),
    ParameterType.BOOLEAN: bool,
    ParameterType.LIST: list,
    ParameterType.STRUCT: dict,
    ParameterType.FINAL_STATUS: dict,
}


def to_text(value: Any) -> str:
    """A value as it stands on a command line: numbers without exponent, true and false, lists and objects as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        if value.is_integer():
            return str(int(value))
        return format(Decimal(repr(value)), "f")
    return json.dumps(_whole_numbers(value), ensure_ascii=False, separators=(",", ":"))


def _whole_numbers(value: Any) -> Any:
    """JSON knows one kind of number: 3.0, as the spec writes it, is 3."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    return value


def to_type(value: Any, parameter: ParameterInput, name: str) -> Any:
    """The value of an input as its type wants it (a text takes any value as JSON), or UserError."""
    if parameter.type is ParameterType.STRING:
        value = to_text(value)
    elif isinstance(value, str):
        value = parse(value, parameter.type, name)
    value = _whole_numbers(value) if parameter.type is not ParameterType.DOUBLE else value
    if not _fits(value, parameter.type):
        raise UserError(
            f"{name} is {to_text(value)!r:.60}, which is not a {parameter.type}", f"give a {parameter.type}"
        )
    if parameter.literals and value not in [_whole_numbers(literal) for literal in parameter.literals]:
        allowed = ", ".join(to_text(literal) for literal in parameter.literals)
        raise UserError(f"{name} is {to_text(value)!r:.60}", f"choose one of {allowed}")
    return value


def _fits(value: Any, kind: ParameterType) -> bool:
    if isinstance(value, bool):
        return kind is ParameterType.BOOLEAN
    return isinstance(value, _KINDS[kind])


def parse(text: str, kind: ParameterType, name: str) -> Any:
    """A value from the text that a step wrote or a person typed. Raises UserError when it is not of its type."""
    if kind is ParameterType.STRING:
        return text
    try:
        value = json.loads(text.strip().lower() if kind is ParameterType.BOOLEAN else text)
    except ValueError:
        raise UserError(f"{name} is {text!r:.60}, which is not a {kind}", f"write a {kind} as JSON") from None
    value = _whole_numbers(value) if kind is not ParameterType.DOUBLE else value
    if not _fits(value, kind):
        raise UserError(f"{name} is {text!r:.60}, which is not a {kind}", f"write a {kind} as JSON")
    return value
