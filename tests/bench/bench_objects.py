"""What the objects of many runs cost a real API server: `python -m tests.bench.bench_objects --runs 200`.

Each run is what a race with rollouts leaves there while it goes on: its Workflow (suspended, so that no engine works on
it), its pods (given to a scheduler that does not exist), the workers' Job (suspended), Service and addresses. Prints
JSON: name -> number; milliseconds of one request as the median and the 99th percentile.
"""

import argparse
import json
import statistics
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kuberacer.run.argo import translate
from kuberacer.run.argo.workflow import workflow_of
from kuberacer.run.compile import pipeline_text
from kuberacer.run.remote.cluster import Cluster
from kuberacer.run.spec import read_pipeline

PODS = 8  # six steps, of which one waits or runs, and some workers
REDIS = {"name": "redis", "port": 6379, "protocol": "TCP"}


def run_objects(name: str, workflow: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """(collection below the namespace, object) of one run."""
    container = {"name": "main", "image": "kuberacer/race", "command": ["true"]}
    template = {"spec": {"restartPolicy": "Never", "schedulerName": "nobody", "containers": [container]}}
    labels = {"kuberacer.io/run": name}
    job = {"parallelism": 4, "completions": 4, "completionMode": "Indexed", "suspend": True, "template": template}
    addresses = {
        "metadata": {"name": f"rollout-{name}", "labels": {**labels, "kubernetes.io/service-name": f"rollout-{name}"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["192.0.2.1"]}],
        "ports": [REDIS],
    }
    service = {"clusterIP": "None", "ports": [{"name": "redis", "port": 6379}]}
    metadata = {"name": f"rollout-{name}", "labels": labels}
    pods = [{"metadata": {"name": f"{name}-{i}", "labels": labels}, **template} for i in range(PODS)]
    return [
        ("apis/argoproj.io/v1alpha1/{}/workflows", workflow),
        ("apis/batch/v1/{}/jobs", {"metadata": metadata, "spec": job}),
        ("api/v1/{}/services", {"metadata": metadata, "spec": service}),
        ("apis/discovery.k8s.io/v1/{}/endpointslices", addresses),
        *(("api/v1/{}/pods", pod) for pod in pods),
    ]


def timed(work: Callable[[], Any], clock: list[float]) -> Any:
    began = time.perf_counter()
    found = work()
    clock.append(1000 * (time.perf_counter() - began))
    return found


def figures(runs: int) -> dict[str, float]:
    cluster, namespace = Cluster(), f"kr-objects-{uuid.uuid4().hex[:6]}"
    manifest = translate(read_pipeline(pipeline_text("race", Path("out/.cache/compiled"))))
    manifest["spec"]["suspend"] = True
    cluster.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    create: dict[str, list[float]] = {"workflow": [], "other": []}
    listing: dict[str, list[float]] = {"workflows": [], "pods": []}
    sizes: dict[str, int] = {}
    try:
        began = time.monotonic()
        for number in range(runs):
            name = f"run-{number}"
            for place, item in run_objects(name, workflow_of(manifest, name, {"run": name})):
                path = "/" + place.format(f"namespaces/{namespace}")
                kind = "workflow" if place.endswith("workflows") else "other"
                timed(lambda path=path, item=item: cluster.call("POST", path, item), create[kind])
        seconds = time.monotonic() - began
        for kind, group in (("workflows", "apis/argoproj.io/v1alpha1"), ("pods", "api/v1")):
            path = f"/{group}/namespaces/{namespace}/{kind}"
            for _ in range(5):
                found = timed(lambda path=path: cluster.get(path), listing[kind])
            sizes[kind] = len(json.dumps(found))
            assert len(found["items"]) >= runs
    finally:
        cluster.call("DELETE", f"/api/v1/namespaces/{namespace}")
    result = {"objects_runs": runs, "objects_per_run": 4 + PODS, "objects_runs_per_s": runs / seconds}
    result["objects_workflow_bytes"] = sizes["workflows"] / runs
    result["objects_pods_bytes_per_run"] = sizes["pods"] / runs
    for name, clock in [
        *((f"create_{k}", v) for k, v in create.items()),
        *((f"list_{k}", v) for k, v in listing.items()),
    ]:
        result[f"objects_{name}_ms"] = statistics.median(clock)
        result[f"objects_{name}_ms_p99"] = sorted(clock)[min(len(clock) - 1, int(0.99 * len(clock)))]
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m tests.bench.bench_objects", description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    print(json.dumps(figures(parser.parse_args().runs), indent=1, sort_keys=True))
