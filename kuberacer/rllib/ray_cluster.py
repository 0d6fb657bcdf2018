"""Ray on KubeRay: a RayCluster that the step's pod owns, whose nodes play; the pod itself joins it and learns.

Where KubeRay is not there, or may not be used, Ray runs in the step's pod alone.
"""

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

from kubernetes import client, config

from kuberacer.die_with_parent import dying_with_parent
from kuberacer.errors import UserError
from kuberacer.rollout.cluster_workers import label, labels_of, place
from kuberacer.rollout.own_pod import OwnPod, in_cluster, own_namespace

GROUP, VERSION, PLURAL = "ray.io", "v1", "rayclusters"
IMAGE = "KUBERACER_IMAGE_UNITY"  # the step's own, which Ray's nodes run, too
SETTINGS = "kuberacer-rollout"  # ConfigMap that says where workers go; service account without rights
STORE_SECRET = "kuberacer-store"
# What workers and their trainer know one another by: the step has it in RAY_AUTH_TOKEN.
SECRET, SECRET_KEY = "kuberacer-redis", "KUBERACER_REDIS_PASSWORD"
GCS_PORT = 6379
ROLE = "ray"
READY_S = 600.0  # images of some gigabytes may have to be pulled first
JOIN_S = 300.0
HEAD = {"requests": {"cpu": "250m", "memory": "1Gi"}, "limits": {"memory": "3Gi"}}
WORKER = {"requests": {"cpu": "1", "memory": "2Gi"}, "limits": {"memory": "4Gi"}}
RAYLET_RUNS = ["sh", "-c", "grep -qs raylet /proc/*/comm"]  # the images have neither wget nor Ray's dashboard


@contextmanager
def ray_nodes(run: str, workers: int, say: Callable[[str], None]) -> Iterator[str | None]:
    """The address of a Ray of so many nodes that play, which this pod has joined; None where there is no KubeRay, where
    this service account may not use it, or workers is 0."""
    if workers < 1 or not in_cluster() or not os.environ.get(IMAGE):
        yield None
        return
    config.load_incluster_config()
    clusters = client.CustomObjectsApi()
    if why := unusable(clusters, own_namespace()):
        say(f"Ray runs in this pod: {why}")
        yield None
        return
    pod = OwnPod.find(client.CoreV1Api())
    name = cluster_name(pod)
    settings = _settings(pod.namespace)
    body = manifest(name, pod, run, os.environ[IMAGE], workers, version("ray"), settings)
    _create(clusters, pod.namespace, body)
    try:
        address = _await_ready(clusters, client.CoreV1Api(), pod.namespace, name, workers, say)
        with joined(address):
            say(f"Ray runs on KubeRay: {name} with {workers} nodes that play")
            yield address
    finally:
        _delete(clusters, pod.namespace, name)


def unusable(clusters: client.CustomObjectsApi, namespace: str) -> str:
    """Why no RayCluster can be made here; '' where one can."""
    try:
        clusters.list_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL)
    except client.ApiException as error:
        if error.status == 404:
            return "there is no KubeRay"
        if error.status == 403:
            return "this service account may not use KubeRay, if it is there (Role kuberacer-pipeline)"
        raise
    return ""


def cluster_name(pod: OwnPod) -> str:
    return f"ray-{hashlib.sha256(pod.uid.encode()).hexdigest()[:10]}"


def manifest(
    name: str, pod: OwnPod, run: str, image: str, workers: int, ray_version: str, settings: dict[str, str]
) -> dict[str, Any]:
    """The RayCluster: a head that runs nothing else, and nodes of one CPU each, all under the restricted profile."""
    head = _pod(run, image, "ray-head", HEAD, {"tcpSocket": {"port": GCS_PORT}})
    head["spec"]["containers"][0]["ports"] = [{"name": "gcs", "containerPort": GCS_PORT}]
    node = _pod(run, image, "ray-worker", WORKER, {"exec": {"command": RAYLET_RUNS}})
    place(node["spec"], settings)
    return {
        "apiVersion": f"{GROUP}/{VERSION}",
        "kind": "RayCluster",
        "metadata": {"name": name, "labels": _labels(run), "ownerReferences": pod.owner()},
        "spec": {
            "rayVersion": ray_version,
            "headGroupSpec": {
                "rayStartParams": {"num-cpus": "0", "include-dashboard": "false", "disable-usage-stats": "true"},
                "template": head,
            },
            "workerGroupSpecs": [
                {
                    "groupName": "play",
                    "replicas": workers,
                    "minReplicas": workers,
                    "maxReplicas": workers,
                    "rayStartParams": {"num-cpus": "1"},
                    "template": node,
                }
            ],
        },
    }


def _pod(run: str, image: str, name: str, resources: dict[str, Any], ready: dict[str, Any]) -> dict[str, Any]:
    probe = {**ready, "periodSeconds": 5, "timeoutSeconds": 5}
    container = {
        "name": name,
        "image": image,
        "env": [
            {"name": "RAY_USAGE_STATS_ENABLED", "value": "0"},
            {"name": "RAY_AUTH_MODE", "value": "token"},
            {"name": "RAY_AUTH_TOKEN", "valueFrom": {"secretKeyRef": {"name": SECRET, "key": SECRET_KEY}}},
        ],
        "envFrom": [{"secretRef": {"name": STORE_SECRET}}],
        "resources": resources,
        "readinessProbe": {**probe, "failureThreshold": 10},
        "livenessProbe": {**probe, "initialDelaySeconds": 120, "failureThreshold": 12},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}, {"name": "shm", "mountPath": "/dev/shm"}],
    }
    return {
        "metadata": {"labels": _labels(run)},
        "spec": {
            "serviceAccountName": SETTINGS,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 5,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [
                {"name": "tmp", "emptyDir": {}},
                {"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": "512Mi"}},
            ],
        },
    }


def _labels(run: str) -> dict[str, str]:
    return {**labels_of(run), "kuberacer.io/role": ROLE}


def _settings(namespace: str) -> dict[str, str]:
    try:
        return client.CoreV1Api().read_namespaced_config_map(SETTINGS, namespace).data or {}
    except client.ApiException as error:
        if error.status in (403, 404):
            return {}
        raise


def _create(clusters: client.CustomObjectsApi, namespace: str, body: dict[str, Any]) -> None:
    """A forerunner of this pod, that was killed, may have left its cluster behind: it goes."""
    run = body["metadata"]["labels"]["kuberacer.io/run"]
    selector = f"kuberacer.io/run={run},kuberacer.io/role={ROLE}"
    found = clusters.list_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, label_selector=selector)
    for other in found["items"]:
        if other["metadata"]["name"] != body["metadata"]["name"]:
            _delete(clusters, namespace, other["metadata"]["name"])
    try:
        clusters.create_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, body)
    except client.ApiException as error:
        if error.status == 409:  # this container was restarted in its pod
            return
        said = json.loads(error.body).get("message", error.reason) if error.body else error.reason
        raise UserError(
            f"the RayCluster cannot be created: {said}",
            "give the step's service account the Role kuberacer-pipeline of manifests/base, or ROLLOUT_WORKERS=0",
        ) from None


def _await_ready(
    clusters: client.CustomObjectsApi,
    core: client.CoreV1Api,
    namespace: str,
    name: str,
    workers: int,
    say: Callable[[str], None],
) -> str:
    """The address of the head, once all nodes are ready. Raises UserError with what KubeRay or a pod says."""
    until, said = time.monotonic() + READY_S, ""
    while True:
        found = clusters.get_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name)
        status = found.get("status") or {}
        if status.get("readyWorkerReplicas", 0) >= workers and (head := (status.get("head") or {}).get("podIP")):
            return f"{head}:{GCS_PORT}"
        why = _why_waiting(core, namespace, name) or str(status.get("reason") or "")
        if why and why != said:
            say(f"waiting for Ray's nodes: {why}")
            said = why
        if time.monotonic() > until:
            raise UserError(
                f"Ray's cluster {name} is not ready after {READY_S:.0f} s{': ' + said if said else ''}",
                "see whether KubeRay's operator runs and whether there is room, or run with ROLLOUT_WORKERS=0",
            )
        time.sleep(2.0)


def _why_waiting(core: client.CoreV1Api, namespace: str, name: str) -> str:
    from kuberacer.rollout.cluster_workers import why_not_running

    pods = core.list_namespaced_pod(namespace, label_selector=f"ray.io/cluster={label(name)}").items
    return next((reason for pod in pods if (reason := why_not_running(pod))), "")


@contextmanager
def joined(address: str, cpus: int = 0) -> Iterator[None]:
    """This machine as a node of Ray's cluster at `address`; without CPUs for others it is the learner's alone.

    Raises UserError when it cannot join within JOIN_S.
    """
    ray = str(Path(sys.executable).with_name("ray"))
    command = [ray, "start", f"--address={address}", f"--num-cpus={cpus}", "--disable-usage-stats", "--block"]
    with tempfile.TemporaryFile("w+") as log:
        node = subprocess.Popen(
            dying_with_parent(command), stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        )
        try:
            until = time.monotonic() + JOIN_S
            while "Ray runtime started" not in _read(log):
                if node.poll() is not None or time.monotonic() > until:
                    told = _read(log).strip()[-300:]
                    raise UserError(f"this pod cannot join Ray at {address}: {told}", "see the network policies")
                time.sleep(0.5)
            yield
        finally:
            node.terminate()
            try:
                node.wait(timeout=30)
            except subprocess.TimeoutExpired:
                node.kill()


def _read(log: IO[str]) -> str:
    log.seek(0)
    return log.read()


def _delete(clusters: client.CustomObjectsApi, namespace: str, name: str) -> None:
    try:
        clusters.delete_namespaced_custom_object(GROUP, VERSION, namespace, PLURAL, name)
    except client.ApiException as error:
        if error.status != 404:
            raise
