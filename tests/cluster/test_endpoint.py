"""Endpoints on a real cluster, by the command and by the pipeline: they answer, are renewed, and delete themselves."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from argo_runs import ArgoRun
from deployment import kubectl
from race_runs import need_image

from kuberacer.run.remote.cluster import Cluster
from kuberacer.run.remote.stores import runs_store
from pipelines.serve import serve

SERVE_PYTHON = Path(sys.prefix).parent / "serve" / "bin" / "python"
POLICIES = Path(__file__).parents[1] / "unit" / "serve"
KINDS = "deployment,service,serviceaccount,role,rolebinding,poddisruptionbudget,networkpolicy,pod"
SELECTOR = "app.kubernetes.io/name=kuberacer-endpoint"
PATIENCE_S = 240
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def cluster(kubeconfig: str) -> Cluster:
    cluster = Cluster()
    need_image(cluster, "serve")
    return cluster


@pytest.fixture(scope="module")
def models(cluster: Cluster, deployed: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Published models of two runs in the cluster's store: of `car`, and of `damaged`, which is none. The folder of the
    former, to write another one there."""
    folder = tmp_path_factory.mktemp("model")
    put(cluster, deployed, "car", folder)
    put(cluster, deployed, "damaged", folder, network=b"nonsense")
    return folder


def put(cluster: Cluster, namespace: str, run: str, folder: Path, network: bytes | None = None, **keys: str) -> None:
    program = f"import policies, pathlib; policies.mountain_car(pathlib.Path({str(folder)!r}), **{keys!r})"
    subprocess.run([SERVE_PYTHON, "-c", program], check=True, env={**os.environ, "PYTHONPATH": str(POLICIES)})
    with runs_store(cluster, namespace) as store:
        store.put_bytes(f"{run}/model/model.onnx", network or (folder / "model.onnx").read_bytes())
        store.put_file(f"{run}/model/policy.json", folder / "policy.json")


@pytest.fixture(scope="module")
def command(deployed: str, models: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("endpoints") / "out"

    def run(*words: str, backend: str = "kubernetes") -> subprocess.CompletedProcess[str]:
        whole = [sys.executable, "-m", "kuberacer.run.cli", *words, "--backend", backend, "--out", str(out)]
        environment = {**os.environ, "KUBERACER_NAMESPACE": deployed}
        return subprocess.run(whole, capture_output=True, text=True, timeout=2 * PATIENCE_S, env=environment)

    return run


@pytest.fixture(autouse=True)
def nothing_left(deployed: str) -> Iterator[None]:
    """No endpoint outlives its test."""
    yield
    kubectl("-n", deployed, "delete", "deployment", "-l", SELECTOR, "--wait=false")
    kubectl("-n", deployed, "delete", "inferenceservice", "-l", SELECTOR, "--wait=false", check=False)
    until(lambda: left(deployed) == "", lambda: left(deployed))


def left(namespace: str) -> str:
    return kubectl("-n", namespace, "get", KINDS, "-l", SELECTOR, "-o", "name")


def until(reached: Callable[[], bool], what: Callable[[], Any]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not reached():
        assert time.monotonic() < deadline, what()
        time.sleep(1)


def asked(command: Run, observation: str) -> dict[str, Any]:
    done = command("predict", "--name", "car", "--observation", observation)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_an_endpoint_is_deployed_asked_renewed_and_deleted(
    command: Run, deployed: str, cluster: Cluster, models: Path
) -> None:
    done = command("deploy-endpoint", "--run", "car", "--expires", "1h")
    assert done.returncode == 0, done.stderr
    address = f"http://endpoint-car.{deployed}.svc/v1/models/car"
    assert f"address: {address}" in done.stdout.splitlines()
    assert (asked(command, "[0.5, -0.5]")["meaning"], asked(command, "[-0.5, 0.5]")["meaning"]) == ("left", "right")
    refused = command("predict", "--name", "car", "--observation", "[1]")
    assert refused.stderr.splitlines()[-1] == "remedy: give 2 finite numbers (position, velocity)"
    (listed,) = command("endpoints").stdout.splitlines()
    assert listed.startswith(f"car  {address}  of car, expires in ")
    pods = kubectl("-n", deployed, "get", "pods", "-l", SELECTOR, "-o", "jsonpath={.items[*].status.phase}")
    assert pods.split() == ["Running", "Running"]

    with runs_store(cluster, deployed) as store:
        old = store.get_bytes("car/model/policy.json")
    put(cluster, deployed, "car", models, environment="another")
    again = command("deploy-endpoint", "--run", "car", "--expires", "2h")
    assert again.returncode == 0, again.stderr
    environment = kubectl(
        "-n", deployed, "get", "deployment", "endpoint-car", "-o", "jsonpath={.spec.template.spec.containers[0].args}"
    )
    assert json.dumps(old.decode()) not in environment
    assert asked(command, "[0.5, -0.5]")["action"] == 0

    other = command("deploy-endpoint", "--run", "damaged", "--name", "car")
    assert "of another run" in other.stderr
    assert command("delete-endpoint", "--run", "car").stdout == "deleted: endpoint car of car\n"
    until(lambda: left(deployed) == "", lambda: left(deployed))


def test_it_deletes_itself_and_all_that_it_owns(command: Run, deployed: str) -> None:
    """Deployed by a person with all rights; the pods' own account is the one that deletes."""
    done = command("deploy-endpoint", "--run", "car", "--expires", "45s")
    assert done.returncode == 0, done.stderr
    assert "role.rbac.authorization.k8s.io/endpoint-car" in left(deployed)
    who = f"--as=system:serviceaccount:{deployed}:endpoint-car"
    for verb, what, allowed in (
        ("delete", "deployments/endpoint-car", "yes"), ("delete", "deployments/other", "no"),
        ("get", "deployments/endpoint-car", "no"), ("get", "secrets", "no"), ("delete", "pods", "no"),
    ):  # fmt: skip
        said = kubectl("-n", deployed, "auth", "can-i", verb, what, who, check=False)
        assert said.strip().splitlines()[-1] == allowed, (verb, what)
    until(lambda: left(deployed) == "", lambda: left(deployed))


def test_kserve_serves_it_and_it_deletes_itself(command: Run, deployed: str, cluster: Cluster) -> None:
    if cluster.find("/apis/serving.kserve.io/v1beta1") is None:
        none = command("deploy-endpoint", "--run", "car", backend="kserve")
        assert none.stderr.splitlines()[-2:] == [
            "error: the cluster has no KServe", "remedy: install KServe there, or take BACKEND=kubernetes"
        ]  # fmt: skip
        pytest.skip("the cluster has no KServe; that it is told was seen")
    done = command("deploy-endpoint", "--run", "car", "--expires", "60s", backend="kserve")
    assert done.returncode == 0, done.stderr
    assert f"address: http://endpoint-car-predictor.{deployed}.svc/v1/models/car" in done.stdout.splitlines()
    assert (asked(command, "[0.5, -0.5]")["meaning"], asked(command, "[-0.5, 0.5]")["meaning"]) == ("left", "right")
    (listed,) = command("endpoints").stdout.splitlines()
    assert listed.startswith("car  ")
    services = f"/apis/serving.kserve.io/v1beta1/namespaces/{deployed}/inferenceservices"
    until(lambda: not cluster.items(services) and left(deployed) == "", lambda: left(deployed))


def test_a_model_that_cannot_be_served_is_told_and_nothing_is_left(command: Run, deployed: str) -> None:
    done = command("deploy-endpoint", "--run", "damaged", "--name", "car")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-2].startswith("error: the endpoint car: model.onnx cannot be loaded")
    until(lambda: left(deployed) == "", lambda: left(deployed))
    none = command("deploy-endpoint", "--run", "nothing")
    assert "the run nothing has no model/policy.json" in none.stderr


def test_the_pipeline_deploys_with_the_rights_of_its_step(command: Run, deployed: str, store: Any) -> None:
    run = ArgoRun.start(serve, {"run_to_serve": "car", "expires": "1h", "replicas": 1}, deployed, store)
    status = run.until(lambda found: found.get("phase") in ("Succeeded", "Failed", "Error"))
    assert status["phase"] == "Succeeded", status
    assert asked(command, "[0.5, -0.5]")["meaning"] == "left"
    assert "poddisruptionbudget" not in left(deployed)
