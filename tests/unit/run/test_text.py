"""Placeholders in texts and commands."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.run.spec.text import (
    Concat,
    ExecutorInput,
    ExecutorOutputFile,
    IfPresent,
    InputArtifact,
    InputParameter,
    OutputArtifact,
    OutputParameterFile,
    RunField,
    inputs_of,
    parse_element,
    parse_text,
)

SPELLINGS = {
    "{{$}}": ExecutorInput(),
    "{{$.inputs.parameters['a-b']}}": InputParameter("a-b"),
    "{{$.inputs.artifacts['x'].path}}": InputArtifact("x", "path"),
    "{{$.inputs.artifacts['x'].uri}}": InputArtifact("x", "uri"),
    "{{$.inputs.artifacts['x']}}": InputArtifact("x", None),
    "{{$.inputs.artifacts['x'].metadata['laps']}}": InputArtifact("x", "metadata", "laps"),
    "{{$.outputs.artifacts['x'].path}}": OutputArtifact("x", "path"),
    "{{$.outputs.artifacts['x'].metadata}}": OutputArtifact("x", "metadata"),
    "{{$.outputs.parameters['x'].output_file}}": OutputParameterFile("x"),
    "{{$.outputs.output_file}}": ExecutorOutputFile(),
    "{{$.outputMetadataUri}}": ExecutorOutputFile(),
    "{{$.pipeline_job_name}}": RunField.JOB_NAME,
    "{{$.pipeline_task_uuid}}": RunField.TASK_ID,
}
plain = st.text(max_size=20).filter(lambda text: "{{$" not in text and text != "" and not text.endswith("{"))


@given(st.lists(plain | st.sampled_from(sorted(SPELLINGS)), max_size=8))
def test_every_placeholder_is_found_and_every_other_text_is_kept(parts: list[str]) -> None:
    parsed = parse_text("".join(parts), "here")
    assert [part for part in parsed if not isinstance(part, str)] == [SPELLINGS[p] for p in parts if p in SPELLINGS]
    spellings = {value: key for key, value in reversed(SPELLINGS.items())}
    written = "".join(part if isinstance(part, str) else spellings[part] for part in parsed)
    assert written == "".join(parts).replace("{{$.outputMetadataUri}}", "{{$.outputs.output_file}}")


@pytest.mark.parametrize(
    "text",
    ["{{$.inputs.parameters['x'].json_escape[1]}}", "{{$.workspace_path}}", "{{$.inputs.artifacts['x'].path['k']}}"],
)
def test_an_unknown_placeholder_is_named(text: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_text(f"a {text} b", "here")
    assert text in caught.value.cause


def test_concat_and_if_present() -> None:
    value = "{{$.inputs.parameters['name']}}"
    inner = {"IfPresent": {"InputName": "name", "Then": value, "Else": "nobody"}}
    assert parse_element(json.dumps({"Concat": ["--name=", inner]}), "here") == Concat(
        (("--name=",), IfPresent("name", ((InputParameter("name"),),), (("nobody",),)))
    )
    listed = parse_element(json.dumps({"IfPresent": {"InputName": "name", "Then": ["--name", value]}}), "here")
    assert listed == IfPresent("name", (("--name",), (InputParameter("name"),)), ())
    assert inputs_of(listed) == {"name"}


def test_an_unknown_structure_is_named() -> None:
    with pytest.raises(UserError, match="Join"):
        parse_element(json.dumps({"Concat": [{"Join": []}]}), "here")


def test_json_that_is_no_structure_is_a_text() -> None:
    assert parse_element('{"learning_rate": 0.1}', "here") == ('{"learning_rate": 0.1}',)
