"""Pools of nodes, shown with a GPU that a node only claims to have: where the trainer and its workers go, and why not.

What is shown is the scheduling, and, where a node has the image race-gpu (8 GB), that a training runs in it; elsewhere
the trainer runs in the CPU image. One node plays all the pools, one after the other.
"""

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import faults
import pytest
import yaml
from deployment import kubectl
from race_runs import Command, need_image, on_a_node

from kuberacer import __version__
from kuberacer.run.remote.cluster import Cluster

GPU = "nvidia.com/gpu"
TAINT = f"{GPU}=present:NoSchedule"
POOLS = Path(__file__).parents[2] / "manifests" / "components" / "gpu" / "rollout.yaml"
PATCHES = [f"/status/{kind}/nvidia.com~1gpu" for kind in ("capacity", "allocatable")]


def patch_gpus(node: str, count: int | None) -> None:
    changes = [{"op": "remove", "path": path} for path in PATCHES]
    if count is not None:
        changes = [{"op": "add", "path": path, "value": str(count)} for path in PATCHES]
    kubectl("patch", "node", node, "--subresource=status", "--type=json", "-p", json.dumps(changes), check=False)


@pytest.fixture
def node(kubeconfig: str) -> Iterator[str]:
    """A node that may be labelled, tainted and given GPUs; it gets back what it was."""
    names = kubectl("get", "nodes", "-o", "name").split()
    name = names[-1].removeprefix("node/")
    try:
        yield name
    finally:
        kubectl("taint", "node", name, f"{GPU}-", check=False)
        kubectl("label", "node", name, "pool-", "kuberacer.io/pool-", check=False)
        patch_gpus(name, None)


@pytest.fixture
def pools(deployed: str) -> Iterator[str]:
    """The namespace with the gpu overlay's settings."""
    documents = [d for d in yaml.safe_load_all(POOLS.read_text()) if d]
    for document in documents:
        if "namespace" in document["metadata"]:
            document["metadata"]["namespace"] = deployed
        if document["kind"] == "ConfigMap":  # one small node plays all the pools
            document["data"]["KUBERACER_ROLLOUT_RESOURCES"] = '{"requests": {"cpu": "100m"}}'
        kubectl("apply", "-f", "-", text=yaml.safe_dump(document))
    yield deployed
    for document in documents:
        kubectl("-n", deployed, "delete", document["kind"], document["metadata"]["name"], check=False)


@pytest.fixture
def start(deployed: str, tmp_path: Path) -> Iterator[Callable[..., Command]]:
    need_image(Cluster())
    commands = []

    def start_command(*arguments: str, **environment: str) -> Command:
        commands.append(Command.start(tmp_path / "out", *arguments, KUBERACER_NAMESPACE=deployed, **environment))
        return commands[-1]

    yield start_command
    for command in commands:
        command.process.kill()


def why_pending(namespace: str, selector: str) -> str:
    """The scheduler's words about the first pod that waits for a node."""
    for pod in faults.pods(namespace, selector):
        for condition in pod["status"].get("conditions", []):
            if condition["type"] == "PodScheduled" and condition["status"] == "False":
                return str(condition.get("message", ""))
    return ""


def until(holds: Callable[[], object], seconds: float = 180.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come to pass in time"
        time.sleep(1)


def test_trainer_and_workers_go_to_their_pools(start: Callable[..., Command], pools: str, node: str) -> None:
    training = ("--minutes", "0", "--steps", "512", "--rollout-workers", "1", "--cars-per-worker", "4")
    image = {} if on_a_node(Cluster(), "race-gpu") else {"KUBERACER_IMAGE_RACE_GPU": f"kuberacer/race:{__version__}"}
    run = start(
        "run", "--backend", "argo", "--track", "chicane", "--trials", "1", *training,
        KUBERACER_TRAINER_GPUS="1", KUBERACER_TRAINER_NODE_SELECTOR="pool=gpu",
        KUBERACER_TRAINER_TOLERATIONS=f"{GPU}:NoSchedule", **image,
    )  # fmt: skip
    run.wait_for("train: waits: 0/")
    assert "node affinity/selector" in run.lines[-1]

    kubectl("label", "node", node, "pool=gpu")
    run.wait_for(f"Insufficient {GPU}")
    kubectl("taint", "node", node, TAINT)
    patch_gpus(node, 1)  # from here on only a trainer that asks for it and tolerates the pool can start
    until(lambda: any("-train-" in p["metadata"]["name"] and p["spec"].get("nodeName") for p in running(pools)))
    (trainer,) = [p for p in running(pools) if "-train-" in p["metadata"]["name"]]
    main = next(c for c in trainer["spec"]["containers"] if c["name"] == "main")
    assert main["resources"]["limits"][GPU] == "1"

    rollouts = "kuberacer.io/role=rollout"
    until(lambda: why_pending(pools, rollouts))
    assert "untolerated taint" in why_pending(pools, rollouts) or "node affinity" in why_pending(pools, rollouts)
    kubectl("taint", "node", node, f"{GPU}-")
    until(lambda: "node affinity/selector" in why_pending(pools, rollouts))
    kubectl("label", "node", node, "kuberacer.io/pool=rollout")
    until(lambda: all(pod["spec"].get("nodeName") for pod in faults.pods(pools, rollouts)))
    assert {pod["spec"]["priorityClassName"] for pod in faults.pods(pools, rollouts)} == {"kuberacer-rollout"}
    assert run.end() == 0, (run.lines, run.errors)


def running(namespace: str) -> list[dict]:
    return [p for p in faults.pods(namespace, "workflows.argoproj.io/workflow") if p["status"]["phase"] != "Succeeded"]
