"""What the pipelines become in Argo is what lies in argo/. After a wanted change: REGENERATE=1 and these tests."""

import os
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "local"))

from conformance import (
    artifacts,
    conditions,
    exit_handlers,
    loops,
    nested,
    optionals,
    placeholders,
    plain,
    pods,
    retries,
    texts,
)

from kuberacer.run.argo import compile_argo
from kuberacer.run.compile import compile_to_text
from pipelines.race import race

GOLDEN = Path(__file__).parent / "argo"
MODULES = (artifacts, conditions, exit_handlers, loops, nested, optionals, placeholders, plain, pods, retries, texts)
PIPELINES = {"race": race} | {case.pipeline.name: case.pipeline for module in MODULES for case in module.CASES}


@pytest.mark.parametrize("name", PIPELINES)
def test_workflow_template(name: str) -> None:
    path, text = GOLDEN / f"{name}.yaml", compile_argo(compile_to_text(PIPELINES[name]))
    if os.environ.get("REGENERATE"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"REGENERATE=1 writes {path} anew; look at the difference first"


def templates_of(name: str) -> list[dict[str, Any]]:
    import yaml

    return yaml.safe_load((GOLDEN / f"{name}.yaml").read_text(encoding="utf-8"))["spec"]["templates"]


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
