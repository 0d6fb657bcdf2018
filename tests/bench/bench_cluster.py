"""Orchestration gap on a real cluster: what Argo Workflows and Kubeflow Pipelines add to each stage.

`python -m tests.bench.bench_cluster` prints JSON, name -> seconds a stage: the smaller of two runs of a chain of steps
that do nothing for two seconds (what else the machine does only adds to it). KUBERACER_NAMESPACE: where Argo runs them,
else a namespace of its own.
"""

import contextlib
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from kfp import dsl

from kuberacer.errors import UserError
from kuberacer.run.compile import compile_to_text
from kuberacer.run.remote.cluster import Cluster
from kuberacer.run.remote.gap import orchestration_gap
from kuberacer.run.remote.model import Engine
from kuberacer.run.remote.race import engine_of

IMAGE = os.environ.get("KUBERACER_TEST_IMAGE", "localhost/python:bookworm")
NAMESPACE_FILE = Path(__file__).parents[1] / "cluster" / "namespace.yaml"
RUNS = 2
PATIENCE_S = 300
GROUPS = {
    "Namespace": "/api/v1/namespaces",
    "ServiceAccount": "/api/v1/namespaces/{}/serviceaccounts",
    "Secret": "/api/v1/namespaces/{}/secrets",
    "ConfigMap": "/api/v1/namespaces/{}/configmaps",
    "Role": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/roles",
    "RoleBinding": "/apis/rbac.authorization.k8s.io/v1/namespaces/{}/rolebindings",
}


@dsl.container_component
def wait(text: str, said: dsl.OutputPath(str)):  # type: ignore[valid-type]
    program = "import sys, time; time.sleep(2); open(sys.argv[2], 'w').write(sys.argv[1])"
    return dsl.ContainerSpec(image=IMAGE, command=["python", "-c", program], args=[text, said])


@dsl.pipeline(name="chain")
def chain(text: str = "a"):
    """Steps one after another: none can begin while another one runs."""
    for _ in range(4):
        task = wait(text=text).set_caching_options(False)
        text = task.outputs["said"]


def figures() -> dict[str, float]:
    """Of the engines that the cluster has."""
    cluster = Cluster()
    found = {}
    with _argo_namespace(cluster) as namespace:
        for backend, where in (("argo", namespace), ("kfp", None)):
            gaps = _gaps(backend, where)
            if gaps:
                found[f"{backend}_orchestration_gap_s"] = min(gaps)
    return found


def _gaps(backend: str, namespace: str | None) -> list[float]:
    text = compile_to_text(chain)
    gaps = []
    with engine_of(backend, namespace) as engine:
        for _ in range(RUNS):
            try:
                id = engine.submit(text, {"text": uuid.uuid4().hex}, "bench-gap")
            except UserError as error:
                print(f"{backend} left out: {error.cause}", file=sys.stderr)
                return []
            try:
                gaps.append(_gap(engine, id))
                print(f"{backend}: {gaps[-1]:.2f} s a stage", file=sys.stderr, flush=True)
            finally:
                engine.delete(id)
    return gaps


def _gap(engine: Engine, id: str) -> float:
    until = time.monotonic() + PATIENCE_S
    while not (status := engine.status(id)).state.ended:
        if time.monotonic() > until:
            raise TimeoutError(f"{engine.name}: {id} has not ended in {PATIENCE_S} s")
        time.sleep(1)
    if status.message:
        raise RuntimeError(f"{engine.name}: {status.message}")
    pods = engine.pods(id)
    stages = [pods[task.pod] for task in status.tasks]
    name = stages[0]["metadata"]["labels"]["workflows.argoproj.io/workflow"]
    workflow = engine.cluster.get(f"/apis/argoproj.io/v1alpha1/namespaces/{engine.namespace}/workflows/{name}")
    return orchestration_gap(workflow, stages)


@contextlib.contextmanager
def _argo_namespace(cluster: Cluster) -> Iterator[str]:
    if os.environ.get("KUBERACER_NAMESPACE"):
        yield os.environ["KUBERACER_NAMESPACE"]
        return
    name = f"kr-bench-{uuid.uuid4().hex[:6]}"
    for item in yaml.safe_load_all(NAMESPACE_FILE.read_text(encoding="utf-8").replace("{namespace}", name)):
        cluster.call("POST", GROUPS[item["kind"]].format(name), item)
    secrets: dict[str, Any] = {}
    for home in ("argo", "default", "kubeflow"):
        secrets = secrets or dict(cluster.secret(home, "mlpipeline-minio-artifact") or {})
    item = {"metadata": {"name": "mlpipeline-minio-artifact"}, "stringData": secrets}
    cluster.call("POST", GROUPS["Secret"].format(name), item)
    try:
        yield name
    finally:
        cluster.call("DELETE", f"/api/v1/namespaces/{name}")


if __name__ == "__main__":
    print(json.dumps(figures(), indent=1, sort_keys=True))
