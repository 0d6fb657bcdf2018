"""Command lines with their placeholders filled in."""

import json
from pathlib import Path

import pytest

from kuberacer.errors import UserError
from kuberacer.run.local.artifacts import Artifact
from kuberacer.run.local.command import CommandLine, Places
from kuberacer.run.spec.model import ArtifactInput, ArtifactOutput, Component, Container, ParameterInput, ParameterType
from kuberacer.run.spec.text import RunField, parse_element

COMPONENT = Component(
    name="comp-step",
    parameters={"speed": ParameterInput(ParameterType.DOUBLE), "name": ParameterInput(ParameterType.STRING, True)},
    artifacts={"models": ArtifactInput("system.Model", is_list=True), "track": ArtifactInput("system.Dataset")},
    output_parameters={},
    output_artifacts={"made": ArtifactOutput("system.Dataset")},
    body=Container((), (), ()),
)
MODELS = [Artifact(f"m{i}", "system.Model", f"/m{i}", {"laps": i}, "d") for i in range(2)]
INPUTS = {"speed": 2.0, "models": MODELS, "track": Artifact("t", "system.Dataset", "/t.npy", {"length": 17.5}, "d")}


def arguments(*texts: str, **more: object) -> list[str]:
    line = CommandLine(COMPONENT, INPUTS | more, Places(Path("/out")), {field: field.value for field in RunField})
    return line.arguments(tuple(parse_element(text, "here") for text in texts))


def test_values_paths_and_names() -> None:
    assert arguments("--speed={{$.inputs.parameters['speed']}}", "{{$.inputs.artifacts['track'].path}}") == [
        "--speed=2",
        "/t.npy",
    ]
    assert arguments("{{$.inputs.artifacts['track'].metadata['length']}}") == ["17.5"]
    assert arguments("{{$.outputs.artifacts['made'].path}} of {{$.pipeline_job_name}}") == [
        "/out/artifacts/made of pipeline_job_name"
    ]


def test_a_list_of_artifacts_is_json() -> None:
    (text,) = arguments("{{$.inputs.artifacts['models']}}")
    assert [(item["uri"], item["metadata"]) for item in json.loads(text)] == [
        ("/m0", {"laps": 0}),
        ("/m1", {"laps": 1}),
    ]


def test_executor_input_holds_everything() -> None:
    (text,) = arguments("{{$}}")
    written = json.loads(text)
    assert written["inputs"]["parameterValues"] == {"speed": 2.0}
    assert len(written["inputs"]["artifacts"]["models"]["artifacts"]) == 2
    assert written["outputs"]["artifacts"]["made"]["artifacts"][0]["uri"] == "/out/artifacts/made"


def test_what_a_value_holds_is_not_read_as_a_placeholder() -> None:
    hostile = "{{$.inputs.parameters['speed']}} {{x}}"
    assert arguments("{{$.inputs.parameters['name']}}", name=hostile) == [hostile]


def test_an_input_that_was_not_given_is_named() -> None:
    with pytest.raises(UserError, match="the input name"):
        arguments("{{$.inputs.parameters['name']}}")


def test_an_address_has_no_path() -> None:
    far = Artifact("t", "system.Dataset", "s3://bucket/t.npy")
    assert arguments("{{$.inputs.artifacts['track'].uri}}", track=far) == ["s3://bucket/t.npy"]
    with pytest.raises(UserError, match="s3://bucket"):
        arguments("{{$.inputs.artifacts['track'].path}}", track=far)
