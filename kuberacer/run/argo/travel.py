"""How texts travel through Argo, which substitutes {{…}} in every document again and again, also in what it put there.

A travelling text holds no two braces in a row: between them stand a word joiner (invisible) and a hyphen. A text
without such braces, that is nearly every one, travels as it is. The same is said here in Python, for what is known
when a pipeline is translated, and as expressions that Argo evaluates, for what is known when it runs.
"""

from typing import Any

from kuberacer.run.argo.expressions import Call, Expression, Text
from kuberacer.run.local.values import to_text

JOINER = "\u2060"
ABSENT = f"{JOINER}?"  # travels for an optional input that was not given; no text does
_TRAVEL = ((JOINER, f"{JOINER}."), ("{{", f"{{{JOINER}-{{{JOINER}-"))
_ARRIVE = ((f"{JOINER}-", ""), (f"{JOINER}.", JOINER))
EMPTY = "KR"  # an empty environment variable of every step
# The kubelet fills in $(NAME) in commands, which comes after Argo's last substitution
_COMMAND = (("$", "$$"), ("{{", f"{{$({EMPTY}){{$({EMPTY})"))


def _replaced(text: str, pairs: tuple[tuple[str, str], ...]) -> str:
    for old, new in pairs:
        text = text.replace(old, new)
    return text


def _replace(expression: Expression, pairs: tuple[tuple[str, str], ...]) -> Expression:
    if isinstance(expression, Text):
        return Text(_replaced(expression.value, pairs))
    for old, new in pairs:
        expression = Call("replace", (expression, Text(old), Text(new)))
    return expression


def travelling(text: str) -> str:
    return _replaced(text, _TRAVEL)


def arrived(text: str) -> str:
    return _replaced(text, _ARRIVE)


def argument_text(value: Any) -> str:
    """What to give Argo for a value of a pipeline's parameter, so that it arrives unharmed. None: not given."""
    return "" if value is None else travelling(to_text(value))


def command_text(text: str) -> str:
    """A text of a container's command or environment, as it must stand in a template."""
    return _replaced(text, _COMMAND)


def travel(raw: Expression) -> Expression:
    return _replace(raw, _TRAVEL)


def arrive(travelled: Expression) -> Expression:
    return _replace(travelled, _ARRIVE)


def command(raw: Expression) -> Expression:
    return _replace(raw, _COMMAND)
