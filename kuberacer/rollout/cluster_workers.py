"""Rollout workers as the pods of one Indexed Job, owned by the trainer's pod: nothing outlives a deleted run.

A headless Service with the trainer's own address is how they find its Redis. Where workers run and what they ask for is
in the ConfigMap `kuberacer-rollout` (manifests/overlays/gpu): KUBERACER_ROLLOUT_NODE_SELECTOR, _TOLERATIONS,
_RESOURCES (JSON each) and _PRIORITY_CLASS.
"""

import hashlib
import json
import time
from typing import Any

from kubernetes import client, config

from kuberacer.errors import UserError
from kuberacer.rollout.own_pod import OwnPod
from kuberacer.rollout.pods_held import PodsHeld
from kuberacer.rollout.workers import worker_arguments
from kuberacer.usage import Held

SETTINGS = "kuberacer-rollout"  # ConfigMap; service account
STORE_SECRET, REDIS_SECRET = "kuberacer-store", "kuberacer-redis"
REDIS_PORT = 6379
RESOURCES = {"requests": {"cpu": "250m", "memory": "512Mi"}, "limits": {"memory": "2Gi"}}
TTL_S = 60
ASK_AGAIN_S = 5.0  # how old an answer of the API server about the pods may be


class ClusterWorkers:
    """Implements kuberacer.rollout.workers.Workers."""

    @classmethod
    def of_this_pod(cls, run: str, image: str, queue: str = "") -> "ClusterWorkers":
        """Raises UserError without the rights of Role kuberacer-pipeline."""
        config.load_incluster_config()
        return cls(run, image, OwnPod.find(client.CoreV1Api()), queue)

    def __init__(self, run: str, image: str, pod: OwnPod, queue: str = "", pace: float = 0.0):
        """pod: the trainer's. kubernetes.config is loaded."""
        self._core, self._batch, self._discovery = client.CoreV1Api(), client.BatchV1Api(), client.DiscoveryV1Api()
        self.run, self.image, self.pod, self.queue, self.pace = run, image, pod, queue, pace
        self.name = f"rollout-{hashlib.sha256(self.pod.uid.encode()).hexdigest()[:10]}"
        self.redis_host = f"{self.name}.{self.pod.namespace}.svc"
        self._wanted = 0
        self._launched = False
        self._asked, self._pods = -ASK_AGAIN_S, list[Any]()
        self._held = PodsHeld()

    def launch(self, count: int) -> None:
        self._wanted = count
        self._end_forerunners()
        service = headless_service(self.name, self.pod, self.run)
        self._make("Service", self._core.create_namespaced_service, service)
        addresses = endpoint_slice(self.name, self.pod, self.run)
        self._make("EndpointSlice", self._discovery.create_namespaced_endpoint_slice, addresses)
        self._make("Job", self._batch.create_namespaced_job, self._job(count))
        self._launched = True

    def scale(self, count: int) -> None:
        """An Indexed Job is scaled by its parallelism and its completions together (Kubernetes 1.27 on)."""
        if count != self._wanted:
            size = {"spec": {"parallelism": count + 1, "completions": count + 1}}
            self._batch.patch_namespaced_job(self.name, self.pod.namespace, size)
            self._wanted = count

    def alive(self) -> int:
        return sum(_index(pod) not in (None, "0") and pod.status.phase == "Running" for pod in self._list())

    def held(self) -> Held:
        self._asked = -ASK_AGAIN_S
        self._list()
        return self._held.total()

    def why_missing(self) -> str:
        pods = self._list()
        reasons = dict.fromkeys(reason for pod in pods if (reason := why_not_running(pod)))
        if len(pods) < self._wanted + 1:
            reasons |= dict.fromkeys(self._refusals())
        return "; ".join(reasons)

    def close(self) -> None:
        if self._launched:
            self._launched = False
            self._delete(self.name)

    def _list(self) -> list[Any]:
        if time.monotonic() - self._asked >= ASK_AGAIN_S:
            try:
                selector = f"batch.kubernetes.io/job-name={self.name}"
                self._pods = self._core.list_namespaced_pod(self.pod.namespace, label_selector=selector).items
            except client.ApiException:
                pass  # the API server may be away for a while: what it said last holds
            self._asked = time.monotonic()
            self._held.look(self._pods, time.time())
        return self._pods

    def _refusals(self) -> list[str]:
        """Why the Job could not create a pod: a quota, an admission rule."""
        try:
            chosen = f"involvedObject.kind=Job,involvedObject.name={self.name}"
            events = self._core.list_namespaced_event(self.pod.namespace, field_selector=chosen).items
        except client.ApiException:
            return []
        return [event.message for event in events if event.type == "Warning"][-1:]

    def _end_forerunners(self) -> None:
        """A trainer that was killed left its workers behind: they would go on looking for its Redis."""
        labels = f"kuberacer.io/run={label(self.run)},kuberacer.io/role=rollout"
        for job in self._batch.list_namespaced_job(self.pod.namespace, label_selector=labels).items:
            if job.metadata.name != self.name:
                self._delete(job.metadata.name)

    def _delete(self, job: str) -> None:
        try:
            self._batch.delete_namespaced_job(job, self.pod.namespace, propagation_policy="Background")
        except client.ApiException as error:
            if error.status != 404:
                raise

    def _make(self, kind: str, create: Any, body: dict[str, Any]) -> None:
        try:
            create(self.pod.namespace, body)
        except client.ApiException as error:
            if error.status == 409:  # this container was restarted in its pod
                return
            said = json.loads(error.body).get("message", error.reason) if error.body else error.reason
            raise UserError(
                f"the rollout workers' {kind} cannot be created: {said}",
                "give the step's service account the Role kuberacer-pipeline of manifests/base, or ask for fewer",
            ) from None

    def _settings(self) -> dict[str, Any]:
        try:
            return self._core.read_namespaced_config_map(SETTINGS, self.pod.namespace).data or {}
        except client.ApiException as error:
            if error.status in (403, 404):
                return {}
            raise

    def _job(self, count: int) -> dict[str, Any]:
        template = pod_template(self.image, worker_arguments(self.run, pace=self.pace), self._environment())
        place(template["spec"], self._settings())
        labels = labels_of(self.run)
        template["metadata"] = {"labels": labels}
        queue = {"kueue.x-k8s.io/queue-name": self.queue} if self.queue else {}
        metadata = {"name": self.name, "labels": {**labels, **queue}, "ownerReferences": self.pod.owner()}
        return {
            "metadata": metadata,
            "spec": {
                "completionMode": "Indexed",
                "parallelism": count + 1,
                "completions": count + 1,
                "backoffLimit": 100_000,  # workers are stateless: one that dies is started again, always
                "ttlSecondsAfterFinished": TTL_S,
                "template": template,
            },
        }

    def _environment(self) -> list[dict[str, Any]]:
        password = {"secretKeyRef": {"name": REDIS_SECRET, "key": "KUBERACER_REDIS_PASSWORD"}}
        return [
            {"name": "KUBERACER_REDIS_HOST", "value": self.redis_host},
            {"name": "KUBERACER_REDIS_PORT", "value": str(REDIS_PORT)},
            {"name": "KUBERACER_REDIS_PASSWORD", "valueFrom": password},
        ]


def headless_service(name: str, pod: OwnPod, run: str) -> dict[str, Any]:
    """Without a selector: a pod cannot be told from others by labels that its pipeline's engine chose."""
    metadata = {"name": name, "labels": labels_of(run), "ownerReferences": pod.owner()}
    return {"metadata": metadata, "spec": {"clusterIP": "None", "ports": [{"name": "redis", "port": REDIS_PORT}]}}


def endpoint_slice(name: str, pod: OwnPod, run: str) -> dict[str, Any]:
    labels = {**labels_of(run), "kubernetes.io/service-name": name}
    return {
        "metadata": {"name": name, "labels": labels, "ownerReferences": pod.owner()},
        "addressType": "IPv6" if ":" in pod.address else "IPv4",
        "endpoints": [{"addresses": [pod.address], "conditions": {"ready": True}}],
        "ports": [{"name": "redis", "port": REDIS_PORT, "protocol": "TCP"}],
    }


def pod_template(image: str, arguments: list[str], environment: list[dict[str, Any]]) -> dict[str, Any]:
    """A worker's pod under the restricted profile of Pod Security, its root read-only."""
    container = {
        "name": "rollout",
        "image": image,
        "command": ["python", *arguments],
        "env": environment,
        "envFrom": [{"secretRef": {"name": STORE_SECRET}}],
        "resources": RESOURCES,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    return {
        "spec": {
            "restartPolicy": "OnFailure",
            "serviceAccountName": SETTINGS,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": 5,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        }
    }


def place(spec: dict[str, Any], settings: dict[str, str]) -> None:
    """Apply the ConfigMap's settings to a pod's spec. Raises UserError naming the key that is not JSON."""
    if selector := _json(settings, "KUBERACER_ROLLOUT_NODE_SELECTOR"):
        spec["nodeSelector"] = selector
    if tolerations := _json(settings, "KUBERACER_ROLLOUT_TOLERATIONS"):
        spec["tolerations"] = tolerations
    if resources := _json(settings, "KUBERACER_ROLLOUT_RESOURCES"):
        spec["containers"][0]["resources"] = resources
    if priority := settings.get("KUBERACER_ROLLOUT_PRIORITY_CLASS"):
        spec["priorityClassName"] = priority


def _json(settings: dict[str, str], key: str) -> Any:
    """The entry, or None where there is none."""
    try:
        return json.loads(settings[key]) if settings.get(key) else None
    except ValueError as error:
        raise UserError(f"ConfigMap {SETTINGS}: {key} is not JSON: {error}", "correct it and deploy again") from None


def labels_of(run: str) -> dict[str, str]:
    return {
        "app.kubernetes.io/part-of": "kuberacer",
        "kuberacer.io/run": label(run),
        "kuberacer.io/role": "rollout",
    }


def label(text: str) -> str:
    """A run's name as a label's value: 63 characters of [A-Za-z0-9_.-], letters or digits at both ends."""
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_.-") else "-" for c in text)
    return kept[-63:].strip("_.-")


def why_not_running(pod: Any) -> str:
    """Why a pod waits, in one line: no node for it, no image, a program that keeps ending. '' when it runs."""
    for condition in pod.status.conditions or []:
        if condition.type == "PodScheduled" and condition.status == "False":
            return f"{pod.metadata.name}: {condition.message}"
    for status in pod.status.container_statuses or []:
        if status.state.waiting is not None and status.state.waiting.reason != "ContainerCreating":
            waiting = status.state.waiting
            return f"{pod.metadata.name}: {waiting.reason}" + (f", {waiting.message}" if waiting.message else "")
    return ""


def _index(pod: Any) -> str | None:
    return (pod.metadata.annotations or {}).get("batch.kubernetes.io/job-completion-index")
