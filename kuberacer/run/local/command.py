"""The command line of a step: placeholders filled in with inputs, places for outputs and names of the run."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.local.artifacts import Artifact
from kuberacer.run.local.values import to_text
from kuberacer.run.spec.model import Component
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
    Text,
)

Inputs = Mapping[str, Any]  # parameters as values, artifacts as Artifact or a list of them


@dataclass(frozen=True)
class Places:
    """Where a step writes: below one folder, `artifacts/<name>` and `parameters/<name>`."""

    folder: Path

    def artifact(self, name: str) -> Path:
        return self.folder / "artifacts" / name

    def parameter(self, name: str) -> Path:
        return self.folder / "parameters" / name

    @property
    def executor_output(self) -> Path:
        return self.folder / "executor_output.json"


@dataclass(frozen=True)
class CommandLine:
    component: Component
    inputs: Inputs
    places: Places
    run: Mapping[RunField, str]

    def arguments(self, elements: tuple[Element, ...]) -> list[str]:
        """Raises UserError naming an input that was not given but is used."""
        return [text for element in elements for text in self._element(element)]

    def text(self, text: Text) -> str:
        return "".join(part if isinstance(part, str) else self._placeholder(part) for part in text)

    def _element(self, element: Element) -> list[str]:
        match element:
            case Concat(items):
                return ["".join(text for item in items for text in self._element(item))]
            case IfPresent(name, then, otherwise):
                return self.arguments(then if name in self.inputs else otherwise)
            case _:
                return [self.text(element)]

    def _placeholder(self, part: Placeholder) -> str:
        match part:
            case RunField():
                return self.run[part]
            case InputParameter(name):
                return to_text(self._input(name))
            case InputArtifact(name, None):
                found = self._input(name)
                return json.dumps([item.as_json() for item in (found if isinstance(found, list) else [found])])
            case InputArtifact(name, field, key):
                return self._field(self._input(name), field, key)
            case OutputParameterFile(name):
                return str(self.places.parameter(name))
            case OutputArtifact(name, field, key):
                return self._field(self.output(name), field, key)
            case ExecutorOutputFile():
                return str(self.places.executor_output)
            case ExecutorInput():
                return json.dumps(self._executor_input())

    def _input(self, name: str) -> Any:
        if name not in self.inputs:
            raise UserError(
                f"{self.component.name}: the command uses the input {name}, which was not given",
                "give it, or wrap its use in dsl.IfPresentPlaceholder",
            )
        return self.inputs[name]

    def output(self, name: str) -> Artifact:
        """What an output artifact is before the step has run."""
        spec = self.component.output_artifacts[name]
        return Artifact(name, spec.type, str(self.places.artifact(name)), spec.metadata)

    def _field(self, artifact: Artifact, field: str | None, key: str | None) -> str:
        if field == "metadata":
            return to_text(dict(artifact.metadata) if key is None else artifact.metadata.get(key, ""))
        if field == "path" and "://" in artifact.uri:
            raise UserError(
                f"{self.component.name}: {artifact.uri} is not on this machine", "import a local file, or use its .uri"
            )
        return artifact.uri

    def _executor_input(self) -> dict[str, Any]:
        """KFP's ExecutorInput message."""
        artifacts = {name: self.inputs[name] for name in self.component.artifacts if name in self.inputs}
        return {
            "inputs": {
                "parameterValues": {
                    name: self.inputs[name] for name in self.component.parameters if name in self.inputs
                },
                "artifacts": {
                    name: {"artifacts": [item.as_json() for item in (found if isinstance(found, list) else [found])]}
                    for name, found in artifacts.items()
                },
            },
            "outputs": {
                "parameters": {
                    name: {"outputFile": str(self.places.parameter(name))} for name in self.component.output_parameters
                },
                "artifacts": {
                    name: {"artifacts": [self.output(name).as_json()]} for name in self.component.output_artifacts
                },
                "outputFile": str(self.places.executor_output),
            },
        }
