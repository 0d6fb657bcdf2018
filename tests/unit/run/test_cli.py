"""The command's own behaviour: help, usage faults, files that are not there."""

import subprocess
import sys
from pathlib import Path

import pytest

COMMANDS = ["run", "validate", "tracks", "compile", "clean", "prune", "cost", "replay-reward"]


def kuberacer(*arguments: str, folder: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kuberacer.run.cli", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str) -> None:
    said = kuberacer(command, "--help")
    assert said.returncode == 0
    assert f"Example: kuberacer {command}" in said.stdout


def test_a_misspelt_option_is_an_error_that_names_it() -> None:
    said = kuberacer("run", "--mintes", "3")
    assert said.returncode == 2
    assert "--mintes" in said.stderr
    assert "--minutes" in said.stderr


@pytest.mark.parametrize(
    "option", ["--reward", "--hyperparameters", "--metadata", "--preset", "--requirements", "--track"]
)
def test_a_file_that_is_not_there_ends_at_once_with_cause_and_remedy(option: str, tmp_path: Path) -> None:
    name = "absent.npy" if option == "--track" else "absent.txt"
    said = kuberacer("run", option, name, folder=tmp_path)
    assert said.returncode == 1
    cause, remedy = said.stderr.splitlines()
    assert cause == f"error: {name} does not exist"
    assert remedy.startswith("remedy: ")
    assert not (tmp_path / "out").exists()


def test_resuming_an_unknown_run_is_an_error(tmp_path: Path) -> None:
    said = kuberacer("run", "--resume", "monday", folder=tmp_path)
    assert (said.returncode, said.stderr.splitlines()[0]) == (1, "error: there is no run monday in out")


def test_leaving_a_run_of_this_machine_to_itself_is_an_error(tmp_path: Path) -> None:
    said = kuberacer("run", "--detach", folder=tmp_path)
    assert (said.returncode, said.stderr.splitlines()[0]) == (1, "error: --detach is for runs on a cluster")
    assert not (tmp_path / "out").exists()


def test_keeping_the_results_of_a_run_of_this_machine_would_remove_nothing(tmp_path: Path) -> None:
    (tmp_path / "out" / "monday").mkdir(parents=True)
    (tmp_path / "out" / "monday" / "run.json").write_text('{"run": "monday", "parameters": {}, "remote": null}')
    said = kuberacer("clean", "monday", "--keep-results", folder=tmp_path)
    assert said.stderr.splitlines()[0] == "error: the run monday ran on this machine"
    assert (tmp_path / "out" / "monday" / "run.json").exists()


def test_without_a_cluster_a_run_on_one_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "absent"))
    said = kuberacer("run", "--backend", "argo", folder=tmp_path)
    assert said.returncode == 1
    assert said.stderr.splitlines()[0].startswith("error: no Kubernetes cluster is configured")


def test_compiling_writes_for_both_engines(tmp_path: Path) -> None:
    said = kuberacer("compile", folder=tmp_path)
    assert said.stdout.splitlines() == ["build/race.kfp.yaml", "build/race.argo.yaml"], said.stderr
    assert "kind: WorkflowTemplate" in (tmp_path / "build" / "race.argo.yaml").read_text()
    assert "pipelineInfo:" in (tmp_path / "build" / "race.kfp.yaml").read_text()
