"""What is compiled from the sources is what lies beside them. After a wanted change: REGENERATE=1 and these tests."""

import os
from pathlib import Path

import pytest

from kuberacer.run.compile import compile_to_text, component_texts
from kuberacer.run.spec import read_pipeline
from pipelines.donkey_cte import donkey_cte
from pipelines.mountain_car import mountain_car
from pipelines.race import race
from pipelines.serve import serve
from pipelines.sweep import sweep
from pipelines.unity_basic import unity_basic

GOLDEN = Path(__file__).parent
COMPONENTS = component_texts()


def check(path: Path, text: str) -> None:
    if os.environ.get("REGENERATE"):
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, f"REGENERATE=1 writes {path} anew; look at the difference first"


@pytest.mark.parametrize(
    "pipeline",
    [race, sweep, mountain_car, serve, unity_basic, donkey_cte],
    ids=lambda pipeline: pipeline.name,
)
def test_pipeline(pipeline) -> None:
    check(GOLDEN / f"{pipeline.name}.yaml", compile_to_text(pipeline))


@pytest.mark.parametrize("path", COMPONENTS, ids=lambda path: path.parent.name)
def test_component(path: Path) -> None:
    check(path, COMPONENTS[path])


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("race", "def reward_function"),
        ("sweep", "def reward_function"),
        ("mountain-car", "graph_manager = "),
        ("unity-basic", ""),
        ("donkey-cte", "def get_graph_manager"),
    ],
)
def test_a_pipeline_asks_for_every_user_input_with_a_description(name: str, source: str) -> None:
    parameters = read_pipeline((GOLDEN / f"{name}.yaml").read_text(encoding="utf-8")).root.parameters
    assert all(parameter.optional and parameter.description for parameter in parameters.values())
    asked = next(name for name in ("reward", "preset", "player") if name in parameters)
    assert source in parameters[asked].default
