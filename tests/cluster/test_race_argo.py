"""The race pipeline on a real Argo Workflows, through the command: its files, its ends, its remedies."""

import base64
import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from race_runs import (
    RAIL,
    TINY,
    TYPO,
    Command,
    check_environment_folder,
    check_folder,
    check_unity,
    need_image,
    secrets,
)

from kuberacer.run.remote.argo import ArgoEngine
from kuberacer.run.remote.cluster import Cluster
from kuberacer.run.remote.stores import runs_store

SETTINGS = {"one_epoch": {"rollout_steps": 256, "num_epochs": 1}, "two_epochs": {"rollout_steps": 256, "num_epochs": 2}}
LONG = ("--track", "pebble", "--cars", "8", "--trials", "1", "--minutes", "9", "--seed", "1")


@pytest.fixture(scope="module")
def cluster(kubeconfig: str) -> Cluster:
    cluster = Cluster()
    need_image(cluster)
    return cluster


@pytest.fixture(scope="module")
def start(
    cluster: Cluster, namespace: str, store: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Command]]:
    """Starts the command in the tests' namespace; no command outlives the tests."""
    out, commands = tmp_path_factory.mktemp("argo") / "out", []
    key, password = (base64.b64decode(store.data[name]).decode() for name in ("accesskey", "secretkey"))

    def start_command(*arguments: str, **environment: str) -> Command:
        commands.append(Command.start(out, *arguments, KUBERACER_NAMESPACE=namespace, **environment))
        return commands[-1]

    with secrets(cluster, namespace, store.client.meta.endpoint_url, key, password):
        yield start_command
        for command in commands:
            command.process.kill()


def workflow(cluster: Cluster, command: Command) -> dict[str, Any] | None:
    remote = command.record["remote"]
    return cluster.find(f"/apis/argoproj.io/v1alpha1/namespaces/{remote['namespace']}/workflows/{remote['id']}")


def pods(cluster: Cluster, command: Command, phases: tuple[str, ...]) -> list[str]:
    remote = command.record["remote"]
    found = cluster.items(
        f"/api/v1/namespaces/{remote['namespace']}/pods",
        labelSelector=f"workflows.argoproj.io/workflow={remote['id']}",
    )
    return [pod["metadata"]["name"] for pod in found if pod["status"]["phase"] in phases]


def test_a_run_leaves_what_a_local_run_leaves(start: Callable[..., Command], cluster: Cluster) -> None:
    run = start("run", "--backend", "argo", *TINY)
    assert run.end() == 0, run.errors
    check_folder(run)
    found = workflow(cluster, run)
    assert found is not None
    assert found["metadata"]["labels"]["kuberacer.io/run"] == run.record["run"]


def test_an_environment_of_ones_own_is_trained_and_published(start: Callable[..., Command]) -> None:
    run = start("run", "--backend", "argo", *RAIL)
    assert run.end() == 0, run.errors
    check_environment_folder(run, "reward_plot.png", "intermediate")


def test_a_unity_player_is_learned_and_published(
    start: Callable[..., Command], cluster: Cluster, tmp_path: Path
) -> None:
    check_unity(start, cluster, "argo", tmp_path)


def test_a_sweep_trains_every_setting_with_every_seed_and_compares(
    start: Callable[..., Command], tmp_path: Path
) -> None:
    (tmp_path / "settings.json").write_text(json.dumps(SETTINGS))
    small = ("--track", "pebble", "--minutes", "0", "--steps", "256", "--cars", "4", "--seeds", "0,7")
    run = start("sweep", "--backend", "argo", *small, "--settings", str(tmp_path / "settings.json"))
    assert run.end() == 0, run.errors
    summaries = json.loads((run.out / "latest" / "sweep.json").read_text())
    assert {summary["setting"]: summary["trials"] for summary in summaries} == {"one_epoch": 2, "two_epochs": 2}
    assert all(summary["steps"]["mean"] == 256 for summary in summaries)
    assert "Learning curves" in (run.out / "latest" / "report.html").read_text()


def test_a_fault_of_the_reward_is_told_as_locally(start: Callable[..., Command], tmp_path: Path) -> None:
    (tmp_path / "typo.py").write_text(TYPO)
    run = start("run", "--backend", "argo", *TINY, "--reward", str(tmp_path / "typo.py"))
    assert run.end() == 1
    cause, remedy = run.errors[-2:]
    assert cause.startswith("error: ")
    assert "speeed" in cause
    assert remedy.startswith("remedy: ")
    log = run.out / "latest" / "logs" / "validate_reward.log"
    assert "speeed" in log.read_text()
    assert run.record["status"] == "failed"


def test_a_pod_that_no_node_takes_ends_the_run_and_says_why(start: Callable[..., Command], cluster: Cluster) -> None:
    run = start(
        "run", "--backend", "argo", *TINY, "--pending-minutes", "0.2", KUBERACER_TRAINER_NODE_SELECTOR="pool=nowhere"
    )
    assert run.end() == 1
    assert any(line.startswith("train: waits: 0/") for line in run.lines), run.lines
    cause, remedy = run.errors[-2:]
    assert cause.startswith("error: train did not start within 0.")
    assert "node affinity/selector" in cause
    assert "RESUME=" in remedy
    assert not pods(cluster, run, ("Running",))


def test_an_interrupted_run_ends_there_too_and_goes_on_when_resumed(
    start: Callable[..., Command], cluster: Cluster
) -> None:
    run = start("run", "--backend", "argo", *LONG)
    run.wait_for("train: iteration 3")  # the first iteration's checkpoint is in the store by then
    run.process.send_signal(signal.SIGINT)
    assert run.end() == 128 + signal.SIGINT
    assert run.errors[-2:] == [
        "error: interrupted",
        f"remedy: go on with `make run-pipeline RESUME={run.record['run']}`",
    ]
    assert run.record["status"] == "interrupted"
    assert not pods(cluster, run, ("Running", "Pending"))

    name = run.record["run"]
    again = start("run", "--resume", name, "--minutes", "0.1", "--detach")
    assert again.end() == 0, again.errors
    assert again.record["status"] == "submitted"
    followed = start("run", "--resume", name)
    assert followed.end() == 0, followed.errors
    assert any("still going" in line for line in followed.lines), followed.lines
    assert any("goes on after iteration" in line for line in followed.lines), followed.lines

    check_cleaned(start, cluster, name, followed.record)


def check_cleaned(start: Callable[..., Command], cluster: Cluster, name: str, record: dict[str, Any]) -> None:
    """Both submissions go with all that they made, and nothing of a run whose name begins like this one's."""
    namespace, ids = record["remote"]["namespace"], [remote["id"] for remote in record["remotes"]]
    assert len(ids) == 2
    assert record["took"]["core_hours_used"] > 0
    assert record["took"]["core_hours_held"] > 0
    with runs_store(cluster, namespace) as objects, ArgoEngine(cluster, namespace) as engine:
        objects.put_bytes(f"{name}0/kept", b"another run's")
        try:
            found = [(path, store, key) for id in ids for path, store, key in engine.artifacts(id)]
            cleaned = start("clean", name, "--yes")
            assert cleaned.end() == 0, cleaned.errors
            assert not list(objects.list(f"{name}/"))
            assert objects.exists(f"{name}0/kept")
            for path, store, key in found:
                shared = path in ("validate-reward", "freeze-graph")
                assert any(store.list(key)) is shared, (path, key)
        finally:
            objects.delete(f"{name}0/kept")
    for id in ids:
        assert cluster.find(f"/apis/argoproj.io/v1alpha1/namespaces/{namespace}/workflows/{id}") is None
        selector = f"workflows.argoproj.io/workflow={id}"
        assert not cluster.items(f"/api/v1/namespaces/{namespace}/pods", labelSelector=selector)
    assert not (cleaned.out / name).exists()
    assert start("clean", name, "--yes").end() == 1
