"""Conditions of tasks: the part of CEL that KFP's compiler writes for dsl.If, dsl.Elif and dsl.Else."""

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kuberacer.errors import UserError


@dataclass(frozen=True)
class InputValue:
    """The value of an input; cast: int or double, when the compiler asks for it."""

    name: str
    cast: str | None = None


@dataclass(frozen=True)
class Literal:
    value: str | bool | int | float


@dataclass(frozen=True)
class Comparison:
    left: InputValue | Literal
    operator: str
    right: InputValue | Literal


@dataclass(frozen=True)
class Not:
    condition: "Condition"


@dataclass(frozen=True)
class All:
    conditions: tuple["Condition", ...]


@dataclass(frozen=True)
class AnyOf:
    conditions: tuple["Condition", ...]


Condition = Comparison | Not | All | AnyOf

_OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}
_TOKEN = re.compile(
    r"""\s*(?:(?P<input>inputs\.parameter_values\['(?P<name>[^']+)'\])
    |(?P<text>'[^']*')
    |(?P<number>-?\d+(?:\.\d+)?(?:e[+-]?\d+)?)
    |(?P<word>true|false|int|double)\b
    |(?P<symbol>==|!=|>=|<=|&&|\|\||[><!()]))""",
    re.VERBOSE,
)


class _Parser:
    """Recursive descent: or, and, not, comparison, operand."""

    def __init__(self, text: str, where: str):
        self.text, self.where, self.at = text, where, 0
        self.tokens: list[tuple[str, str]] = []
        while self.at < len(text.rstrip()):
            match = _TOKEN.match(text, self.at)
            if match is None:
                raise self.fault(text[self.at :])
            kind = match.lastgroup if match.lastgroup != "name" else "input"
            self.tokens.append((str(kind), match["name"] or match[str(kind)]))
            self.at = match.end()
        self.tokens.reverse()

    def fault(self, at: str) -> UserError:
        return UserError(
            f"{self.where}: the condition {self.text!r} is not understood at {at[:40]!r}",
            "compare inputs and outputs with texts, numbers and truth values, by ==, !=, <, <=, > and >=",
        )

    def peek(self) -> str:
        return self.tokens[-1][1] if self.tokens and self.tokens[-1][0] != "text" else ""

    def take(self, *expected: str) -> tuple[str, str]:
        if not self.tokens or (expected and self.peek() not in expected):
            raise self.fault(self.tokens[-1][1] if self.tokens else "the end")
        return self.tokens.pop()

    def whole(self) -> Condition:
        condition = self.any_of()
        if self.tokens:
            raise self.fault(self.tokens[-1][1])
        return condition

    def any_of(self) -> Condition:
        conditions = [self.all_of()]
        while self.peek() == "||":
            self.take()
            conditions.append(self.all_of())
        return conditions[0] if len(conditions) == 1 else AnyOf(tuple(conditions))

    def all_of(self) -> Condition:
        conditions = [self.single()]
        while self.peek() == "&&":
            self.take()
            conditions.append(self.single())
        return conditions[0] if len(conditions) == 1 else All(tuple(conditions))

    def single(self) -> Condition:
        if self.peek() == "!":
            self.take()
            return Not(self.single())
        if self.peek() == "(":
            self.take()
            condition = self.any_of()
            self.take(")")
            return condition
        left = self.operand()
        return Comparison(left, self.take(*_OPERATORS)[1], self.operand())

    def operand(self) -> InputValue | Literal:
        kind, token = self.take()
        match kind:
            case "input":
                return InputValue(token)
            case "number":
                return Literal(int(token) if re.fullmatch(r"-?\d+", token) else float(token))
            case "text" if "inputs.parameter_values" not in token:
                return Literal(token[1:-1])
            case "word" if token in ("true", "false"):
                return Literal(token == "true")
            case "word":
                self.take("(")
                inner = self.operand()
                self.take(")")
                if isinstance(inner, InputValue):
                    return InputValue(inner.name, token)
                if not isinstance(inner.value, str):
                    return Literal(int(inner.value) if token == "int" else float(inner.value))
        # KFP's compiler quotes the expression of a number that is compared with a text: never equal, on no back end
        raise self.fault(token)


def parse_condition(text: str, where: str) -> Condition:
    """Raises UserError naming what is not understood."""
    return _Parser(text, where).whole()


def inputs_of(condition: Condition) -> set[str]:
    match condition:
        case Comparison(left, _, right):
            return {side.name for side in (left, right) if isinstance(side, InputValue)}
        case Not(inner):
            return inputs_of(inner)
        case All(conditions) | AnyOf(conditions):
            return set().union(*map(inputs_of, conditions))


def holds(condition: Condition, values: Mapping[str, Any]) -> bool:
    """Evaluate with the values of the task's inputs. Values of different kinds are never equal, as in CEL."""
    match condition:
        case Comparison(left, symbol, right):
            return _compare(_value(left, values), symbol, _value(right, values))
        case Not(inner):
            return not holds(inner, values)
        case All(conditions):
            return all(holds(inner, values) for inner in conditions)
        case AnyOf(conditions):
            return any(holds(inner, values) for inner in conditions)


def _value(operand: InputValue | Literal, values: Mapping[str, Any]) -> Any:
    if isinstance(operand, Literal):
        return operand.value
    value = values[operand.name]
    if operand.cast is None:
        return value
    return int(value) if operand.cast == "int" else float(value)


def _compare(left: Any, symbol: str, right: Any) -> bool:
    numbers = all(isinstance(side, (int, float)) and not isinstance(side, bool) for side in (left, right))
    if numbers or type(left) is type(right):
        return _OPERATORS[symbol](left, right)
    if symbol in ("==", "!="):
        return symbol == "!="
    raise UserError(
        f"a condition compares {left!r} with {right!r} by {symbol}",
        "order numbers with numbers and texts with texts",
    )
