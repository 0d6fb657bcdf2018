"""Values of parameters while a pipeline is translated: known now, or an expression that Argo evaluates later."""

from dataclasses import dataclass

from kuberacer.errors import UserError
from kuberacer.run.argo.expressions import Call, Expression, Name, Text, all_of, any_of, joined, names_of, number, tag
from kuberacer.run.argo.travel import ABSENT, arrive, travel, travelling
from kuberacer.run.spec import condition as conditions
from kuberacer.run.spec.model import ParameterType
from kuberacer.run.spec.text import InputParameter, RunField
from kuberacer.run.spec.text import Text as PlaceholderText

# What changes with every run: a step that is given one of these is never the same twice
_OF_THE_RUN = {"workflow.name", "workflow.uid", "workflow.creationTimestamp.RFC3339", "pod.name"}
# Numbers and truth values hold nothing that Argo could take for its own
BARE_KINDS = (ParameterType.INTEGER, ParameterType.DOUBLE, ParameterType.BOOLEAN)
RUN_FIELDS = {
    RunField.JOB_NAME: Name("workflow.name"),
    RunField.JOB_RESOURCE_NAME: Name("workflow.name"),
    RunField.JOB_ID: Name("workflow.uid"),
    RunField.TASK_ID: Name("pod.name"),
    RunField.CREATE_TIME: Name("workflow.creationTimestamp.RFC3339"),
    RunField.SCHEDULE_TIME: Name("workflow.creationTimestamp.RFC3339"),
}


@dataclass(frozen=True)
class Value:
    """raw: the value as text (KFP's way of writing it); given: whether it was given (None: it always is).

    tag: the Argo variable that already holds the text ready for travel.
    """

    raw: Expression
    kind: ParameterType
    given: Expression | None = None
    tag: str | None = None
    of_run: bool = False  # what it was made from holds the run's own name

    @property
    def text(self) -> Expression:
        """As a command line shows it; not given: the empty text."""
        return self.raw if self.given is None else Call("if", (self.given, self.raw, Text("")))

    @property
    def argument(self) -> str:
        """What to pass on to another template."""
        if self.tag is not None:
            return self.tag
        if isinstance(self.raw, Text) and self.given is None:
            return travelling(self.raw.value)
        return tag(self.travelled)

    @property
    def travelled(self) -> Expression:
        ready = self.raw if self.kind in BARE_KINDS else travel(self.raw)
        return ready if self.given is None else Call("if", (self.given, ready, Text(ABSENT)))

    @property
    def of_the_workflow(self) -> bool:
        """Whether every template can evaluate it by itself, so that it need not be passed on."""
        names = names_of(self.raw) | (names_of(self.given) if self.given is not None else set())
        return bool(names) and all(name.startswith("workflow.") or name == "pod.name" for name in names)

    @property
    def of_this_run(self) -> bool:
        return self.of_run or bool(names_of(self.raw) & _OF_THE_RUN)

    def otherwise(self, default: str) -> "Value":
        """This value, or a default when it is not given."""
        if self.given is None:
            return self
        return Value(Call("if", (self.given, self.raw, Text(default))), self.kind)


def passed(name: str, kind: ParameterType, may_be_absent: bool) -> Value:
    """An input that a template receives from the one that calls it."""
    received = Name("inputs.parameters", name)
    given = Call("!=", (received, Text(ABSENT))) if may_be_absent else None
    raw = received if kind in BARE_KINDS else arrive(received)
    return Value(raw, kind, given, f"{{{{inputs.parameters.{name}}}}}")


def clean(raw: Expression, kind: ParameterType) -> Expression:
    """A value that a step or a person wrote: blanks around anything but a text do not count."""
    if kind is ParameterType.STRING:
        return raw
    return Call("lower", (Call("trim", (raw,)),)) if kind is ParameterType.BOOLEAN else Call("trim", (raw,))


def run_field(field: RunField, task: str, where: str) -> Expression:
    if field is RunField.TASK_NAME:
        return Text(task)
    if field not in RUN_FIELDS:
        raise UserError(
            f"{where}: the placeholder {{{{$.{field.value}}}}} has no meaning in Argo", "leave it out of the pipeline"
        )
    return RUN_FIELDS[field]


def text_value(text: PlaceholderText, inputs: dict[str, Value], task: str, where: str) -> Expression:
    """A constant of the pipeline, with placeholders of the task's own inputs and of the run."""
    parts: list[Expression] = []
    for part in text:
        match part:
            case str():
                parts.append(Text(part))
            case InputParameter(name):
                parts.append(inputs[name].text)
            case RunField():
                parts.append(run_field(part, task, where))
            case _:
                raise UserError(
                    f"{where}: a constant holds {type(part).__name__}, which Argo cannot fill in",
                    "pass the input itself",
                )
    return joined(parts)


def condition_value(condition: conditions.Condition, inputs: dict[str, Value], where: str) -> Expression:
    """A condition with values in place of the names of inputs."""
    match condition:
        case conditions.Comparison(left, symbol, right):
            return _comparison(_operand(left, inputs, where), symbol, _operand(right, inputs, where), where)
        case conditions.Not(inner):
            return Call("not", (condition_value(inner, inputs, where),))
        case conditions.All(several):
            return all_of([condition_value(inner, inputs, where) for inner in several])
        case conditions.AnyOf(several):
            return any_of([condition_value(inner, inputs, where) for inner in several])


def _operand(
    operand: conditions.InputValue | conditions.Literal, inputs: dict[str, Value], where: str
) -> tuple[str, Expression]:
    """The kind (text, number, truth or structure) and the value."""
    if isinstance(operand, conditions.Literal):
        match operand.value:
            case bool():
                return "truth", Name("true" if operand.value else "false")
            case str():
                return "text", Text(operand.value)
            case _:
                return "number", number(operand.value)
    value = inputs[operand.name]
    if operand.cast or value.kind in (ParameterType.INTEGER, ParameterType.DOUBLE):
        return "number", Call("number", (value.text,))
    if value.kind is ParameterType.BOOLEAN:
        return "truth", Call("==", (value.text, Text("true")))
    return ("text" if value.kind is ParameterType.STRING else "structure"), value.text


def _comparison(left: tuple[str, Expression], symbol: str, right: tuple[str, Expression], where: str) -> Expression:
    if "structure" in (left[0], right[0]):
        raise UserError(
            f"{where}: its condition compares a list or an object", "compare texts, numbers or truth values"
        )
    if left[0] == right[0] and (symbol in ("==", "!=") or left[0] != "truth"):
        return Call(symbol, (left[1], right[1]))
    if symbol in ("==", "!="):  # values of different kinds are never equal
        return Name("true" if symbol == "!=" else "false")
    raise UserError(
        f"{where}: its condition compares a {left[0]} with a {right[0]} by {symbol}",
        "order numbers with numbers and texts with texts",
    )
