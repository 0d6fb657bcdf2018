"""The race pipeline on a real Kubeflow Pipelines, through the command."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from deployment import deployment, overlay
from race_runs import (
    DONKEY,
    RAIL,
    TINY,
    TYPO,
    Command,
    check_environment_folder,
    check_folder,
    check_unity,
    need_image,
)

from kuberacer.run.remote.cluster import Cluster
from kuberacer.run.remote.kfp import KfpEngine

NAMESPACE = "kubeflow"


@pytest.fixture(scope="module")
def cluster(kubeconfig: str) -> Cluster:
    cluster = Cluster()
    if cluster.find(f"/api/v1/namespaces/{NAMESPACE}/services/ml-pipeline") is None:
        pytest.skip("no Kubeflow Pipelines in the cluster")
    need_image(cluster)
    return cluster


@pytest.fixture(scope="module")
def installed(cluster: Cluster) -> Iterator[None]:
    """What `make deploy OVERLAY=kfp` gives Kubeflow's steps; where it is there already, that."""
    if cluster.secret(NAMESPACE, "kuberacer-store") is not None:
        yield
        return
    with deployment(OVERLAY=overlay().replace("argo", "kfp"), KFP_NAMESPACE=NAMESPACE):
        yield


@pytest.fixture(scope="module")
def start(installed: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Command]]:
    """Starts the command; no command outlives the tests, and no run in the cluster."""
    out, commands = tmp_path_factory.mktemp("kfp") / "out", []

    def start_command(*arguments: str, **environment: str) -> Command:
        commands.append(Command.start(out, *arguments, **environment))
        return commands[-1]

    yield start_command
    for command in commands:
        command.process.kill()
    for folder in out.glob("*-*"):
        assert Command.start(out, "clean", folder.name, "--yes", "--stop", "--keep-results").end() == 0


@pytest.fixture(scope="module")
def first(start: Callable[..., Command]) -> Command:
    run = start("run", "--backend", "kfp", *TINY)
    assert run.end() == 0, run.errors
    return run


def test_a_run_leaves_what_a_local_run_leaves(first: Command) -> None:
    check_folder(first)


def test_figures_pages_and_texts_show_in_kubeflow(first: Command, cluster: Cluster) -> None:
    """The types by which Kubeflow's UI chooses how to show an artifact, and what it shows."""
    with KfpEngine(cluster) as engine:
        found = {
            (execution.task, name): artifacts[0]
            for execution in engine.metadata.executions(first.record["remote"]["id"])
            for name, artifacts in engine.metadata.outputs(execution.id).items()
        }
    assert found["validate-reward", "reward_map"].type == "system.HTML"
    assert found["publish", "report"].type == "system.HTML"
    assert found["publish", "model_card"].type == "system.Markdown"
    for task in ("train", "evaluate"):
        assert found[task, "metrics"].type == "system.Metrics"
        assert found[task, "metrics"].metadata


def test_rollout_workers_join_from_kubeflow_s_namespace(start: Callable[..., Command]) -> None:
    workers = ("--rollout-workers", "2", "--cars-per-worker", "4", "--minutes", "0")
    run = start("run", "--backend", "kfp", *TINY, *workers)
    assert run.end() == 0, run.errors
    check_folder(run)
    assert any("2 rollout workers" in line for line in run.lines), run.lines


def test_an_environment_of_ones_own_is_trained_and_published(start: Callable[..., Command]) -> None:
    run = start("run", "--backend", "kfp", *RAIL)
    assert run.end() == 0, run.errors
    check_environment_folder(run, "reward_plot.png", "intermediate")


def test_a_donkey_car_is_trained_and_published(start: Callable[..., Command]) -> None:
    given = ("--pipeline", "donkey_cte", "--hyperparameters", json.dumps(DONKEY), "--copies", "3", "--episodes", "2")
    run = start("run", "--backend", "kfp", *given)
    assert run.end() == 0, run.errors
    check_environment_folder(run, "plots/reward_distribution.png")


def test_a_unity_player_is_learned_and_published(
    start: Callable[..., Command], cluster: Cluster, tmp_path: Path
) -> None:
    check_unity(start, cluster, "kfp", tmp_path)


def test_a_fault_of_the_reward_is_told_as_locally(start: Callable[..., Command], tmp_path: Path) -> None:
    (tmp_path / "typo.py").write_text(TYPO)
    run = start("run", "--backend", "kfp", *TINY, "--reward", str(tmp_path / "typo.py"))
    assert run.end() == 1
    cause, remedy = run.errors[-2:]
    assert cause.startswith("error: ")
    assert "speeed" in cause
    assert remedy.startswith("remedy: ")
    assert run.record["status"] == "failed"


def test_a_pod_that_no_node_takes_ends_the_run_and_says_why(first: Command, start: Callable[..., Command]) -> None:
    run = start(
        "run", "--backend", "kfp", *TINY, "--pending-minutes", "0.2", KUBERACER_TRAINER_NODE_SELECTOR="pool=nowhere"
    )
    assert run.end() == 1
    assert any(line.startswith("train: waits: 0/") for line in run.lines), run.lines
    cause, remedy = run.errors[-2:]
    assert cause.startswith("error: train did not start within 0.")
    assert "node affinity/selector" in cause
    assert "RESUME=" in remedy
    cached = [stage["name"] for stage in run.record["stages"] if stage["cached"]]
    assert cached == ["validate_reward"]
    assert "validate_reward: unchanged, taken from before" in run.lines
