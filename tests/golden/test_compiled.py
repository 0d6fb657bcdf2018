"""What is compiled from the sources is what lies beside them. After a wanted change: REGENERATE=1 and these tests."""

import os
from pathlib import Path

import pytest

from kuberacer.run.compile import compile_to_text, component_texts
from kuberacer.run.spec import read_pipeline
from pipelines.race import race

GOLDEN = Path(__file__).parent
COMPONENTS = component_texts()


def check(path: Path, text: str) -> None:
    if os.environ.get("REGENERATE"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"REGENERATE=1 writes {path} anew; look at the difference first"


def test_race_pipeline() -> None:
    check(GOLDEN / "race.yaml", compile_to_text(race))


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.parent.name)
def test_component(path: Path) -> None:
    check(path, COMPONENTS[path])


def test_race_pipeline_asks_for_every_user_input_with_a_description() -> None:
    parameters = read_pipeline((GOLDEN / "race.yaml").read_text(encoding="utf-8")).root.parameters
    assert all(parameter.optional and parameter.description for parameter in parameters.values())
    assert "def reward_function" in parameters["reward"].default
