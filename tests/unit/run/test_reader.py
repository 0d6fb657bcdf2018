"""The reader takes what KFP's compiler writes and names what it does not know."""

import copy
from typing import Any

import pytest
import yaml
from kfp import dsl, kubernetes

from kuberacer.errors import UserError
from kuberacer.run.compile import compile_to_text
from kuberacer.run.spec import read_pipeline
from kuberacer.run.spec.check import order, upstream
from kuberacer.run.spec.model import Constant, Container, FromInput, FromTask, Retry
from kuberacer.run.spec.text import InputParameter


@dsl.container_component
def say(text: str, said: dsl.OutputPath(str)):
    return dsl.ContainerSpec(image="python:3.12", command=["echo", text], args=[said])


@dsl.pipeline(name="two-steps", description="Says it twice.")
def two_steps(word: str = "hello", times: int = 2):
    first = say(text=word).set_retry(3, "2s", 1.5, "10s").set_env_variable("MOOD", "good")
    first.set_cpu_request("500m").set_memory_limit("2Gi").set_accelerator_type("nvidia.com/gpu").set_accelerator_limit(
        1
    )
    kubernetes.use_secret_as_env(first, "keys", {"KEY": "KEY"})
    say(text=f"{first.outputs['said']}!").set_caching_options(False)


TEXT = compile_to_text(two_steps)


def changed(change: Any) -> str:
    document, platforms = copy.deepcopy(list(yaml.safe_load_all(TEXT)))
    change(document)
    return yaml.safe_dump_all([document, platforms])


def test_reads_tasks_inputs_and_executors() -> None:
    pipeline = read_pipeline(TEXT)
    assert (pipeline.name, pipeline.description) == ("two-steps", "Says it twice.")
    assert pipeline.root.parameters["times"].default == 2
    first, second = pipeline.graph.tasks["say"], pipeline.graph.tasks["say-2"]
    assert first.parameters["text"] == FromInput("word")
    assert first.retry == Retry(3, 2.0, 1.5, 10.0)
    assert second.parameters["pipelinechannel--say-said"] == FromTask("say", "said")
    assert second.parameters["text"] == Constant((InputParameter("pipelinechannel--say-said"), "!"))
    assert (first.cache, second.cache) == (True, False)
    assert upstream(second) == {"say"}
    assert order(pipeline.graph) == ["say", "say-2"]
    container = pipeline.components[first.component].body
    assert isinstance(container, Container)
    assert container.env == {"MOOD": "good"}
    assert container.resources.cpu_request == ("500m",)
    assert container.resources.memory_limit == ("2Gi",)
    assert container.resources.accelerator_type == ("nvidia.com/gpu",)
    assert container.kubernetes["secretAsEnv"][0]["secretName"] == "keys"


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda d: d.update(surprise=1), "surprise"),
        (lambda d: d["root"]["dag"]["tasks"]["say"].update(newPolicy={}), "newPolicy"),
        (lambda d: d["root"]["dag"]["tasks"]["say"]["retryPolicy"].update(jitter=1), "jitter"),
        (lambda d: d["deploymentSpec"]["executors"]["exec-say"].update(customJob={}), "customJob"),
        (lambda d: d["deploymentSpec"]["executors"]["exec-say"]["container"].update(lifecycle={}), "lifecycle"),
        (lambda d: d["root"]["dag"]["tasks"]["say"]["inputs"]["parameters"]["text"].clear(), "constant is missing"),
        (
            lambda d: d["root"]["inputDefinitions"]["parameters"]["word"].update(parameterType="TASK_CONFIG"),
            "TASK_CONFIG",
        ),
        (
            lambda d: d["deploymentSpec"]["executors"]["exec-say"]["container"]["args"].append("{{$.weather}}"),
            ".weather",
        ),
        (lambda d: d["root"]["dag"]["tasks"]["say"].update(triggerPolicy={"condition": "size(x) > 2"}), "size(x)"),
        (lambda d: d["components"].pop("comp-say"), "comp-say"),
        (lambda d: d["root"]["dag"]["tasks"].pop("say"), "there is no task say"),
        (lambda d: d["root"]["dag"]["tasks"]["say"]["inputs"]["parameters"].pop("text"), "does not give text"),
        (lambda d: d["root"]["dag"]["tasks"]["say"].update(dependentTasks=["say-2"]), "wait for each other"),
        (lambda d: d.update(schemaVersion="1.0"), "schemaVersion 1.0"),
    ],
)
def test_names_what_it_does_not_know(change: Any, named: str) -> None:
    with pytest.raises(UserError) as caught:
        read_pipeline(changed(change))
    assert named in caught.value.cause
    assert "\n" not in caught.value.cause + caught.value.remedy


@pytest.mark.parametrize("text", ["", "a: [", "- 1", "root: 3\nschemaVersion: 2.1.0", "1\n---\n2\n---\n3"])
def test_refuses_what_is_no_pipeline(text: str) -> None:
    with pytest.raises(UserError):
        read_pipeline(text)


def test_an_unknown_setting_of_kubernetes_is_named() -> None:
    document, platforms = yaml.safe_load_all(TEXT)
    platforms["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-say"]["hoverboard"] = {}
    with pytest.raises(UserError, match="hoverboard"):
        read_pipeline(yaml.safe_dump_all([document, platforms]))


def test_a_hole_that_kfp_compiles_into_nested_loops_is_found_before_the_run() -> None:
    @dsl.pipeline(name="holes")
    def holes():
        with dsl.ParallelFor(["a", "b"]) as letter, dsl.ParallelFor([1, 2]) as number:
            say(text=f"{letter}{number}")

    with pytest.raises(UserError, match="which root is not given") as caught:
        read_pipeline(compile_to_text(holes))
    assert "f-string" in caught.value.remedy


def test_a_default_of_several_lines_survives_compiling() -> None:
    @dsl.pipeline(name="long")
    def long(source: str = "def f():\n    return {'a': [1]}\n"):
        say(text=source)

    assert read_pipeline(compile_to_text(long)).root.parameters["source"].default == "def f():\n    return {'a': [1]}\n"
