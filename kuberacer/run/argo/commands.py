"""Command lines of steps: what is known becomes text, the rest expressions that Argo evaluates when the step starts."""

from dataclasses import dataclass, field

from kuberacer.errors import UserError
from kuberacer.run.argo.expressions import Call, Expression, Name, Text, joined, number, tag
from kuberacer.run.argo.travel import arrive, command, command_text
from kuberacer.run.argo.values import BARE_KINDS, Value, run_field
from kuberacer.run.local.values import to_text
from kuberacer.run.spec.model import Component, Task
from kuberacer.run.spec.text import (
    Concat,
    Element,
    ExecutorInput,
    ExecutorOutputFile,
    IfPresent,
    InputArtifact,
    InputParameter,
    OutputArtifact,
    OutputParameterFile,
    Placeholder,
    RunField,
)
from kuberacer.run.spec.text import Text as PlaceholderText

INPUTS, OUTPUTS = "/kuberacer/inputs", "/kuberacer/outputs"
EXECUTOR_OUTPUT = f"{OUTPUTS}/executor_output.json"
# Longer texts go through the environment: past 128 KiB of arguments Argo hands them over by a file, in which the
# kubelet fills nothing in
_LONG = 8192


@dataclass
class CommandLine:
    """parameters and artifacts: the inputs that the task gives (maybe, for parameters with Value.given)."""

    task: Task
    component: Component
    parameters: dict[str, Value]
    artifacts: set[str]
    environment: list[dict[str, str]] = field(default_factory=list)  # what arguments() needs there

    def arguments(self, elements: tuple[Element, ...]) -> list[str]:
        """The arguments as they stand in a template."""
        return [self._written(*found) for element in elements for found in self.element(element)]

    def plain(self, text: PlaceholderText) -> str:
        """A text outside the command, such as the image's name."""
        raw, _ = self._joined(text)
        return raw.value if isinstance(raw, Text) else tag(raw)

    def _written(self, raw: Expression, may_be_long: bool) -> str:
        if isinstance(raw, Text):
            return command_text(raw.value)
        if not may_be_long:
            return tag(command(raw))
        name = f"KUBERACER_LONG_{len(self.environment) + 1}"
        long = Call("longer", (raw, number(_LONG)))
        self.environment.append({"name": name, "value": tag(Call("if", (long, command(raw), Text(""))))})
        return tag(Call("if", (long, Text(f"$({name})"), command(raw))))

    def element(self, element: Element) -> list[tuple[Expression, bool]]:
        """The arguments that an element stands for, each with whether it may be long."""
        match element:
            case Concat(items):
                found = [one for item in items for one in self.element(item)]
                return [(joined([raw for raw, _ in found]), any(long for _, long in found))]
            case IfPresent(name, then, otherwise):
                return self._if_present(name, then, otherwise)
            case _:
                return [self._joined(element)]

    def _if_present(
        self, name: str, then: tuple[Element, ...], otherwise: tuple[Element, ...]
    ) -> list[tuple[Expression, bool]]:
        if name in self.artifacts or (name in self.parameters and self.parameters[name].given is None):
            return [one for item in then for one in self.element(item)]
        missing = [one for item in otherwise for one in self.element(item)]
        if name not in self.parameters:
            return missing
        given = self.parameters[name].given
        assert given is not None
        present = [one for item in then for one in self.element(item)]
        if len(present) != len(missing):
            raise UserError(
                f"{self.component.name}: whether {name} is given is known only when the pipeline runs, and "
                f"IfPresentPlaceholder then stands for {len(present)} arguments, else for {len(missing)}",
                "let both branches have the same number of arguments: Argo cannot leave one out",
            )
        both = zip(present, missing, strict=True)
        return [(Call("if", (given, one, other)), long or longer) for (one, long), (other, longer) in both]

    def _joined(self, text: PlaceholderText) -> tuple[Expression, bool]:
        parts = [Text(part) if isinstance(part, str) else self._placeholder(part) for part in text]
        names = [part.name for part in text if isinstance(part, InputParameter)]
        long = any(self.parameters[name].kind not in BARE_KINDS for name in names)
        return joined(parts), long

    def _placeholder(self, part: Placeholder) -> Expression:
        match part:
            case RunField():
                return run_field(part, self.task.name, self.component.name)
            case InputParameter(name):
                if name not in self.parameters:
                    raise self._missing(name)
                return self.parameters[name].text
            case InputArtifact(name, "path" | "uri"):
                if name not in self.artifacts:
                    raise self._missing(name)
                return Text(f"{INPUTS}/{name}")
            case OutputParameterFile(name) | OutputArtifact(name, "path" | "uri"):
                return Text(f"{OUTPUTS}/{name}")
            case OutputArtifact(name, "metadata", key):
                metadata = self.component.output_artifacts[name].metadata
                return Text(to_text(dict(metadata) if key is None else metadata.get(key, "")))
            case ExecutorOutputFile():
                return Text(EXECUTOR_OUTPUT)
            case InputArtifact(name, "metadata", key):
                if name not in self.artifacts:
                    raise self._missing(name)
                found = arrive(Name("inputs.parameters", f"{name}--metadata"))
                return found if key is None else Call("entry if any", (found, Text(key)))
            case InputArtifact(name):
                raise self._unknown(f"the list of artifacts {name}", "pass the artifacts one by one")
            case ExecutorInput():
                raise self._unknown("KFP's executor input", "pass the values that the step needs")
            case _:
                raise self._unknown(type(part).__name__, "use paths and values")

    def _missing(self, name: str) -> UserError:
        return UserError(
            f"{self.component.name}: the command uses the input {name}, which task {self.task.name} does not give",
            "give it, or wrap its use in dsl.IfPresentPlaceholder",
        )

    def _unknown(self, what: str, remedy: str) -> UserError:
        return UserError(f"{self.component.name}: its command reads {what}, which cannot be had in Argo", remedy)
