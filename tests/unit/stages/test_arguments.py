"""A stage knows the name of its run, however the engine hands it over."""

import pytest

from kuberacer.stages.arguments import run_name, stage_parser

PLACEHOLDER = "{{$.pipeline_job_resource_name}}"  # as Kubeflow Pipelines 2.0 leaves it


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["--run", "monday"], "monday"),
        (["--run", "monday", "--job", "race-x7k2p"], "monday"),
        (["--run", "", "--job", "race-x7k2p"], "race-x7k2p"),
        (["--run", "", "--job", PLACEHOLDER], "race-x7k2p"),
    ],
)
def test_a_run_without_a_name_has_the_engines(arguments: list[str], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KFP_POD_NAME", "race-x7k2p-system-container-impl-1873402")
    parser = stage_parser("train", "", "")
    parser.add_argument("--run", required=True)
    assert parser.parse_args(arguments).run == name


def test_outside_of_a_pod_the_placeholder_is_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KFP_POD_NAME", raising=False)
    assert run_name("", PLACEHOLDER) == "unnamed"
