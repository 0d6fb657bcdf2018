"""What makes a task the same task, and what is kept of it."""

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from kuberacer.errors import UserError
from kuberacer.run.local.artifacts import Artifact, digest_of
from kuberacer.run.local.cache import TaskCache, task_key
from kuberacer.run.local.command import CommandLine, Places
from kuberacer.run.local.environments import Environment, Environments, image_name
from kuberacer.run.spec.model import (
    ArtifactInput,
    ArtifactOutput,
    Component,
    Container,
    ParameterInput,
    ParameterOutput,
    ParameterType,
)
from kuberacer.run.spec.text import InputArtifact, InputParameter, OutputArtifact, RunField

CONTAINER = Container(
    image=("python:3",),
    command=(
        ("run",),
        (InputParameter("speed"),),
        (InputArtifact("model", "path"),),
        (OutputArtifact("made", "path"),),
    ),
    args=(),
)
COMPONENT = Component(
    name="comp-step",
    parameters={"speed": ParameterInput(ParameterType.DOUBLE)},
    artifacts={"model": ArtifactInput("system.Model")},
    output_parameters={"laps": ParameterOutput(ParameterType.INTEGER)},
    output_artifacts={"made": ArtifactOutput("system.Dataset")},
    body=CONTAINER,
)
ENVIRONMENT = Environment(Path("/usr/bin/python3"), "e1")


def key(environment: Environment = ENVIRONMENT, also: str = "", run: str = "a", **inputs: Any) -> str:
    given = {"speed": 1.0, "model": Artifact("model", "system.Model", "/somewhere/model", {}, "d1")} | inputs
    fields = dict.fromkeys(RunField, run)
    return task_key(COMPONENT, CONTAINER, CommandLine(COMPONENT, given, Places(Path("/p")), fields), environment, also)


def model(uri: str, digest: str, **metadata: Any) -> Artifact:
    return Artifact("model", "system.Model", uri, metadata, digest)


def test_the_key_is_of_content_not_of_places() -> None:
    assert key() == key(model=model("/elsewhere", "d1"))
    assert key() == key(run="another run")  # the command says nothing about the run
    different = [
        key(),
        key(speed=2.0),
        key(model=model("/somewhere/model", "d2")),
        key(model=model("/somewhere/model", "d1", laps=3)),
        key(environment=Environment(Path("/usr/bin/python3"), "e2")),
        key(also="another store"),
    ]
    assert len(set(different)) == len(different)


def finish(cache: TaskCache, text: str) -> Path:
    scratch = cache.scratch()
    places = Places(scratch)
    (scratch / "artifacts").mkdir()
    (scratch / "parameters").mkdir()
    places.artifact("made").write_text(text)
    places.parameter("laps").write_text("3")
    places.executor_output.write_text(
        json.dumps({"artifacts": {"made": {"artifacts": [{"metadata": {"rows": 7}}]}}, "parameterValues": {"no": 1}})
    )
    return scratch


def test_outputs_are_kept_whole_and_found_again(tmp_path: Path) -> None:
    cache = TaskCache(tmp_path)
    assert cache.find("k", COMPONENT) is None
    kept = cache.keep(finish(cache, "text"), "k", COMPONENT)
    assert kept == cache.find("k", COMPONENT)
    assert kept["laps"] == 3
    assert Path(kept["made"].uri).read_text() == "text"
    assert kept["made"].metadata == {"rows": 7}
    assert "no" not in kept


def test_half_a_result_counts_for_nothing(tmp_path: Path) -> None:
    cache = TaskCache(tmp_path)
    (tmp_path / "k" / "artifacts").mkdir(parents=True)
    assert cache.find("k", COMPONENT) is None
    (tmp_path / "k" / "result.json").write_text("{")
    assert cache.find("k", COMPONENT) is None
    (tmp_path / "k" / "result.json").unlink()
    assert cache.keep(finish(cache, "text"), "k", COMPONENT)["laps"] == 3


def test_of_two_that_finish_the_same_task_both_get_outputs(tmp_path: Path) -> None:
    cache = TaskCache(tmp_path)
    first, second = finish(cache, "first"), finish(cache, "second")
    cache.keep(first, "k", COMPONENT)
    assert Path(cache.keep(second, "k", COMPONENT)["made"].uri).read_text() == "first"
    assert [path.name for path in tmp_path.iterdir()] == ["k"]


def test_the_oldest_are_forgotten_but_nothing_that_may_be_in_use(tmp_path: Path) -> None:
    cache = TaskCache(tmp_path)
    for age, name in enumerate(("newest", "older", "oldest")):
        cache.keep(finish(cache, "x" * 1000), name, COMPONENT)
        then = time.time() - age * 24 * 3600
        os.utime(tmp_path / name / "result.json", (then, then))
    cache.forget_oldest(limit_bytes=3000)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["newest", "older"]
    assert cache.find("older", COMPONENT)
    cache.forget_oldest(limit_bytes=0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["newest", "older"]


def test_an_output_of_the_wrong_type_is_named(tmp_path: Path) -> None:
    cache = TaskCache(tmp_path)
    scratch = finish(cache, "text")
    Places(scratch).parameter("laps").write_text("many")
    with pytest.raises(UserError, match="the output laps is 'many'"):
        cache.keep(scratch, "k", COMPONENT)


def test_digest_is_of_names_and_contents(tmp_path: Path) -> None:
    (tmp_path / "a" / "deep").mkdir(parents=True)
    (tmp_path / "a" / "deep" / "x").write_text("1")
    (tmp_path / "b" / "deep").mkdir(parents=True)
    (tmp_path / "b" / "deep" / "x").write_text("1")
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    (tmp_path / "b" / "deep" / "x").rename(tmp_path / "b" / "deep" / "y")
    assert digest_of(tmp_path / "a") != digest_of(tmp_path / "b")
    assert digest_of(tmp_path / "absent") == digest_of(tmp_path / "absent too")


@pytest.mark.parametrize(
    "image",
    [
        "race",
        "race:1",
        "kuberacer/race:0.1.0",
        "registry.example:5000/a/race@sha256:0123",
        "docker.io/x/race:1@sha256:9",
    ],
)
def test_name_of_an_image(image: str) -> None:
    assert image_name(image) == "race"


def test_an_image_without_an_environment_is_named_with_the_way_to_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="unity:1") as caught:
        Environments(tmp_path).of("kuberacer/unity:1")
    assert caught.value.remedy == f"run `make {tmp_path.name}/unity/.ready`"
