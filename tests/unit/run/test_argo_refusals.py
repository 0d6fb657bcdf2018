"""What the translator to Argo does not know is refused by its name; what it is told of pods becomes a pod's fields."""

from collections.abc import Callable
from typing import Any, Optional

import pytest
from kfp import dsl, kubernetes

from kuberacer.errors import UserError
from kuberacer.run.argo import translate, workflow_of
from kuberacer.run.argo.kubernetes import pod_fields
from kuberacer.run.compile import compile_to_text
from kuberacer.run.spec import read_pipeline


@dsl.container_component
def make(picture: dsl.Output[dsl.Artifact]):
    return dsl.ContainerSpec(image="python", command=["touch", picture.path])


@dsl.container_component
def look(picture: dsl.Input[dsl.Artifact]):
    return dsl.ContainerSpec(image="python", command=["cat", picture.path])


@dsl.container_component
def look_at_all(pictures: dsl.Input[list[dsl.Artifact]]):
    return dsl.ContainerSpec(image="python", command=["echo", pictures])


@dsl.container_component
def echo(text: str):
    return dsl.ContainerSpec(image="python", command=["echo", text])


@dsl.container_component
def greet(name: Optional[str] = None):  # noqa: UP045  KFP reads no other spelling
    named = dsl.IfPresentPlaceholder(input_name="name", then=["--name", name], else_=["--nobody"])
    return dsl.ContainerSpec(image="python", command=["echo"], args=[named])


def importer() -> None:
    look(picture=dsl.importer(artifact_uri="s3://bucket/picture", artifact_class=dsl.Artifact).output)


def artifact_list() -> None:
    with dsl.ParallelFor([1, 2]):
        made = make()
    look_at_all(pictures=dsl.Collected(made.outputs["picture"]))


def uneven(name: Optional[str] = None) -> None:  # noqa: UP045
    greet(name=name)


def root() -> None:
    echo(text=f"{dsl.PIPELINE_ROOT_PLACEHOLDER}/x")


def affinity() -> None:
    expressions = [{"key": "zone", "operator": "In", "values": ["a"]}]
    kubernetes.add_node_affinity(echo(text="x"), match_expressions=expressions)


def secret_from_parameter(name: str) -> None:
    kubernetes.use_secret_as_env(echo(text="x"), name, {"key": "VARIABLE"})


REFUSED = [
    (importer, "dsl.importer"),
    (artifact_list, "the list of artifacts"),
    (uneven, "stands for 2 arguments, else for 1"),
    (root, "pipeline_root"),
    (affinity, "nodeAffinity"),
    (secret_from_parameter, "secretAsEnv: the name comes from a parameter"),
]


def translated(function: Callable[..., Any]) -> dict[str, Any]:
    return translate(read_pipeline(compile_to_text(dsl.pipeline(name="example")(function))))


@pytest.mark.parametrize(("function", "cause"), REFUSED, ids=[function.__name__ for function, _ in REFUSED])
def test_what_is_not_translated_is_named(function: Callable[..., Any], cause: str) -> None:
    with pytest.raises(UserError, match=cause):
        translated(function)


def test_what_is_given_for_certain_decides_a_placeholder() -> None:
    def even() -> None:
        greet(name="Ada")
        greet()

    templates = [one for one in translated(even)["spec"]["templates"] if "container" in one]
    assert [len(one["container"]["args"]) for one in templates] == [2, 1]


def test_settings_of_pods() -> None:
    data = {"constant": "data", "pvcNameParameter": {"runtimeValue": {"constant": "data"}}, "mountPath": "/d"}
    settings = {
        "tolerations": [{"key": "gpu", "operator": "Exists", "tolerationSeconds": "30"}],
        "nodeSelector": {"labels": {"pool": "gpu"}},
        "pvcMount": [data],
        "enabledSharedMemory": {"volumeName": "shm", "size": "1Gi"},
        "activeDeadlineSeconds": "600",
        "imagePullPolicy": "Always",
        "podMetadata": {"labels": {"a": "b"}},
    }
    fields = pod_fields(settings, "step")
    assert fields.template == {
        "tolerations": [{"key": "gpu", "operator": "Exists", "tolerationSeconds": 30}],
        "nodeSelector": {"pool": "gpu"},
        "activeDeadlineSeconds": 600,
        "metadata": {"labels": {"a": "b"}},
    }
    assert fields.container == {"imagePullPolicy": "Always"}
    assert fields.mounts == [
        {"name": "volume-0", "mountPath": "/d"},
        {"name": "volume-1", "mountPath": "/dev/shm"},
    ]
    assert fields.volumes[0]["persistentVolumeClaim"] == {"claimName": "data"}


def test_a_run_gives_what_it_is_asked_and_knows_its_parameters() -> None:
    def one(text: str = "a", number: int = 3) -> None:
        echo(text=text)

    manifest = translated(one)
    run = workflow_of(manifest, "run-1", {"text": "{{x}}"})
    given = {each["name"]: each["value"] for each in run["spec"]["arguments"]["parameters"]}
    assert given["number"] == "3"
    assert "{{" not in given["text"]
    with pytest.raises(UserError, match="no parameter colour"):
        workflow_of(manifest, "run-1", {"colour": "red"})


def test_a_cached_step_depends_on_its_content_and_one_that_knows_its_run_is_not_cached() -> None:
    def named() -> None:
        echo(text=dsl.PIPELINE_JOB_NAME_PLACEHOLDER)

    def plain() -> None:
        echo(text="x")

    assert not [one for one in translated(named)["spec"]["templates"] if "memoize" in one]
    (around,) = [one for one in translated(plain)["spec"]["templates"] if "memoize" in one]
    assert "workflow.namespace" in around["memoize"]["key"]
