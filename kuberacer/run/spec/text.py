"""Texts with placeholders, as they stand in commands and constants: {{$.inputs.parameters['name']}} and the like."""

import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from kuberacer.errors import UserError


class RunField(Enum):
    """What a text can say about the run; the values are the names that the spec uses. No texts: texts hold them."""

    JOB_NAME = "pipeline_job_name"
    JOB_RESOURCE_NAME = "pipeline_job_resource_name"
    JOB_ID = "pipeline_job_uuid"
    TASK_NAME = "pipeline_task_name"
    TASK_ID = "pipeline_task_uuid"
    ROOT = "pipeline_root"
    CREATE_TIME = "pipeline_job_create_time_utc"
    SCHEDULE_TIME = "pipeline_job_schedule_time_utc"


@dataclass(frozen=True)
class InputParameter:
    name: str


@dataclass(frozen=True)
class InputArtifact:
    """field: path, uri, metadata, or None for the whole list of artifacts as JSON; key: one entry of the metadata."""

    name: str
    field: str | None
    key: str | None = None


@dataclass(frozen=True)
class OutputParameterFile:
    name: str


@dataclass(frozen=True)
class OutputArtifact:
    """field: path, uri or metadata; key: one entry of the metadata."""

    name: str
    field: str | None
    key: str | None = None


@dataclass(frozen=True)
class ExecutorOutputFile:
    """Where a component may write KFP's executor output."""


@dataclass(frozen=True)
class ExecutorInput:
    """KFP's executor input as JSON."""


Placeholder = (
    RunField
    | InputParameter
    | InputArtifact
    | OutputParameterFile
    | OutputArtifact
    | ExecutorOutputFile
    | ExecutorInput
)
Text = tuple[str | Placeholder, ...]


@dataclass(frozen=True)
class Concat:
    items: tuple["Element", ...]


@dataclass(frozen=True)
class IfPresent:
    """`then` when the input was given, `otherwise` when not; several elements become several arguments."""

    input: str
    then: tuple["Element", ...]
    otherwise: tuple["Element", ...]


Element = Text | Concat | IfPresent

_RUN_FIELDS = {field.value: field for field in RunField}
_PLACEHOLDER = re.compile(r"\{\{\$(.*?)\}\}", re.DOTALL)
_PARAMETER = re.compile(r"\.inputs\.parameters\['([^']+)'\]")
_OUTPUT_FILE = re.compile(r"\.outputs\.parameters\['([^']+)'\]\.output_file")
_ARTIFACT = re.compile(r"\.(inputs|outputs)\.artifacts\['([^']+)'\](?:\.(path|uri|metadata)(?:\['([^']+)'\])?)?")


def parse_text(text: str, where: str) -> Text:
    """Raises UserError naming a placeholder that is not known."""
    parts: list[str | Placeholder] = []
    end = 0
    for match in _PLACEHOLDER.finditer(text):
        if match.start() > end:
            parts.append(text[end : match.start()])
        parts.append(_parse_placeholder(match[1], where))
        end = match.end()
    if end < len(text):
        parts.append(text[end:])
    return tuple(parts)


def _parse_placeholder(body: str, where: str) -> Placeholder:
    if body == "":
        return ExecutorInput()
    if body in (".outputs.output_file", ".outputMetadataUri"):
        return ExecutorOutputFile()
    if body[1:] in _RUN_FIELDS:
        return _RUN_FIELDS[body[1:]]
    if match := _PARAMETER.fullmatch(body):
        return InputParameter(match[1])
    if match := _OUTPUT_FILE.fullmatch(body):
        return OutputParameterFile(match[1])
    if match := _ARTIFACT.fullmatch(body):
        side, name, field, key = match.groups()
        if key is None or field == "metadata":
            return InputArtifact(name, field, key) if side == "inputs" else OutputArtifact(name, field, key)
    raise UserError(
        f"{where}: the placeholder {{{{${body}}}}} is not known",
        "use the placeholders of kfp.dsl: values, paths, URIs and metadata of inputs and outputs, names of the run",
    )


def parse_element(text: str, where: str) -> Element:
    """One item of a command: a text, or a Concat or IfPresent that the compiler wrote as JSON into a text."""
    if text.startswith(('{"Concat": ', '{"IfPresent": ')):
        return _parse_structure(json.loads(text), where)
    return parse_text(text, where)


def _parse_structure(structure: Any, where: str) -> Element:
    match structure:
        case str():
            return parse_text(structure, where)
        case {"Concat": list(items)} if len(structure) == 1:
            return Concat(tuple(_parse_structure(item, where) for item in items))
        case {"IfPresent": {"InputName": str(name), "Then": then, **rest}} if not rest.keys() - {"Else"}:
            return IfPresent(name, _parse_branch(then, where), _parse_branch(rest.get("Else", []), where))
    raise UserError(
        f"{where}: the command holds a structure that is not known: {json.dumps(structure)[:80]}",
        "use texts, dsl.ConcatPlaceholder and dsl.IfPresentPlaceholder",
    )


def _parse_branch(branch: Any, where: str) -> tuple[Element, ...]:
    items = branch if isinstance(branch, list) else [branch]
    return tuple(_parse_structure(item, where) for item in items)


def placeholders(element: Element) -> list[Placeholder]:
    """Every placeholder of an element, in order."""
    match element:
        case Concat(items):
            return [found for item in items for found in placeholders(item)]
        case IfPresent(_, then, otherwise):
            return [found for item in (*then, *otherwise) for found in placeholders(item)]
        case _:
            return [part for part in element if not isinstance(part, str)]


def inputs_of(element: Element) -> set[str]:
    """The names of the inputs that an element reads or asks for."""
    names = {part.name for part in placeholders(element) if isinstance(part, (InputParameter, InputArtifact))}
    return names | _asked_for(element)


def _asked_for(element: Element) -> set[str]:
    match element:
        case Concat(items):
            return set().union(*map(_asked_for, items))
        case IfPresent(name, then, otherwise):
            return {name}.union(*map(_asked_for, (*then, *otherwise)))
        case _:
            return set()
