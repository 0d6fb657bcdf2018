"""What the pipelines become in Argo is what lies in argo/. After a wanted change: REGENERATE=1 and these tests."""

import os
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parents[1] / "local"))

from conformance import everywhere, pods

from kuberacer.run.argo import compile_argo
from kuberacer.run.compile import compile_to_text
from pipelines.donkey_cte import donkey_cte
from pipelines.mountain_car import mountain_car
from pipelines.race import race
from pipelines.serve import serve
from pipelines.unity_basic import unity_basic

GOLDEN = Path(__file__).parent / "argo"
MODULES = (*everywhere.MODULES, pods)
PIPELINES = {pipeline.name: pipeline for pipeline in (race, mountain_car, serve, unity_basic, donkey_cte)} | {
    case.pipeline.name: case.pipeline for module in MODULES for case in module.CASES
}


@pytest.mark.parametrize("name", PIPELINES)
def test_workflow_template(name: str) -> None:
    path, text = GOLDEN / f"{name}.yaml", compile_argo(compile_to_text(PIPELINES[name]))
    if os.environ.get("REGENERATE"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"REGENERATE=1 writes {path} anew; look at the difference first"


def templates_of(name: str) -> list[dict[str, Any]]:
    return yaml.safe_load((GOLDEN / f"{name}.yaml").read_text(encoding="utf-8"))["spec"]["templates"]


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    return [text for one in inner for text in texts_in(one)]


def names_in(section: dict[str, Any], kind: str) -> set[str]:
    return {one["name"] for one in section.get(kind, [])}


@pytest.mark.parametrize("name", PIPELINES)
def test_every_reference_leads_somewhere(name: str) -> None:
    """What Argo would only find out when the pipeline runs, some of it by waiting for ever."""
    templates = {template["name"]: template for template in templates_of(name)}
    for template in templates.values():
        inputs, text = template.get("inputs", {}), "\n".join(texts_in(template))
        for kind in ("parameters", "artifacts"):
            read = re.findall(rf"inputs\.{kind}(?:\.([\w-]+)|\['([^']+)'\])", text)
            assert {one or other for one, other in read} <= names_in(inputs, kind)
        tasks = {task["name"]: task for task in template.get("dag", {}).get("tasks", [])}
        for task in tasks.values():
            called = templates[task["template"]].get("inputs", {})
            given = task.get("arguments", {})
            for kind in ("parameters", "artifacts"):
                assert names_in(given, kind) == names_in(called, kind)
            before = set(re.findall(r"([\w-]+)\.(?:Succeeded|Failed|Errored)", task.get("depends", "")))
            read = {
                of or other for of, other in re.findall(r"tasks(?:\.([\w-]+)|\['([^']+)'\])", "\n".join(texts_in(task)))
            }
            assert read <= before <= tasks.keys()
        for of, other, kind, output in re.findall(
            r"tasks(?:\.([\w-]+)|\['([^']+)'\])\.outputs\.(parameters|artifacts)(?:\.|\[')([\w-]+)", text
        ):
            assert output in names_in(templates[tasks[of or other]["template"]]["outputs"], kind)


@pytest.mark.parametrize("name", PIPELINES)
def test_argo_finds_nothing_to_fill_in_but_what_is_meant(name: str) -> None:
    for template in templates_of(name):
        for text in texts_in(template):
            for tag in re.findall(r"\{\{(.*?)\}\}", text, re.DOTALL):
                assert re.fullmatch(r"=[^{}]+|(inputs|tasks|workflow|pod|item)[\w.-]*", tag), tag


def test_the_reward_is_held_once() -> None:
    """No node of the workflow has the pipeline's long parameters in its own inputs."""
    received = {
        one["name"] for template in templates_of("race") for one in template.get("inputs", {}).get("parameters", [])
    }
    assert not received & {"reward", "hyperparameters", "metadata", "preset"}


def test_every_step_survives_the_loss_of_its_pod() -> None:
    steps = [template for template in templates_of("race") if "container" in template]
    assert len(steps) >= 6
    assert all("lastRetry.status == 'Error'" in template["retryStrategy"]["expression"] for template in steps)
