"""Makes an endpoint's objects on the cluster, and waits until its pods are ready."""

import json
import time
from collections.abc import Callable
from typing import Any

from kubernetes import client
from kubernetes.client import ApiException

from kuberacer.endpoint import NOT_SERVED
from kuberacer.errors import UserError
from kuberacer.rollout.cluster_workers import why_not_running
from kuberacer.stages.cluster_build import load_cluster
from kuberacer.stages.endpoint_objects import ENDPOINT, TOKEN_SECRET, ClusterEndpoint, Json

PART = 'deploy the part for endpoints, with its rights and its token: make deploy OVERLAY="argo serve"'
READY_S, ASK_S, REPEAT_S = 300.0, 1.0, 30.0
PLURALS = {
    "Deployment": "deployments", "InferenceService": "inferenceservices", "Service": "services",
    "ServiceAccount": "serviceaccounts", "Role": "roles", "RoleBinding": "rolebindings",
    "PodDisruptionBudget": "poddisruptionbudgets", "NetworkPolicy": "networkpolicies",
}  # fmt: skip


class Deployer:
    """One endpoint."""

    def __init__(self, endpoint: ClusterEndpoint, ready_s: float = READY_S, say: Callable[[str], None] = print):
        load_cluster()
        self.endpoint, self._ready_s, self._say = endpoint, ready_s, say
        self._api, self._core = client.ApiClient(), client.CoreV1Api()

    def run(self) -> None:
        """Raises UserError, and leaves nothing of a new endpoint then."""
        endpoint = self.endpoint
        before = self._find(endpoint.owner())
        if before is not None and before["metadata"].get("annotations", {}).get("kuberacer.io/run") != endpoint.run:
            raise UserError(
                f"there is an endpoint {endpoint.name} in {endpoint.namespace}, of another run",
                "choose another name, or delete it first",
            )
        try:
            owner = self._make(endpoint.owner()) if before is None else self._renew(before)
            reference = {key: owner[key] for key in ("apiVersion", "kind")} | {
                key: owner["metadata"][key] for key in ("name", "uid")
            }
            for item in endpoint.owned():
                item["metadata"]["ownerReferences"] = [reference]
                self._make(item, there_ok=True)  # they follow from the name alone
            if not endpoint.kserve:
                self._patch(endpoint.owner(), {"spec": {"replicas": endpoint.replicas}})
            self._wait()
        except BaseException:
            if before is None:
                self._call("DELETE", self._path(endpoint.owner()), {"propagationPolicy": "Background"}, ok=(404,))
            raise

    def _renew(self, before: Json) -> Json:
        """The same endpoint with what it should be now; pods that answer are replaced one by one."""
        owner = self.endpoint.owner()
        if not self.endpoint.kserve:
            owner["spec"]["replicas"] = before["spec"]["replicas"]
        return self._patch(
            owner, {"metadata": {"annotations": owner["metadata"]["annotations"]}, "spec": owner["spec"]}
        )

    def _wait(self) -> None:
        """Until all pods are ready. Raises UserError with what the pods say."""
        deadline, said, said_at = time.monotonic() + self._ready_s, "", 0.0
        while not self._ready():
            state, over = self._state()
            if over or time.monotonic() > deadline:
                raise _fault(state, self.endpoint, self._ready_s)
            if state != said or time.monotonic() - said_at > REPEAT_S:
                self._say(f"endpoint {self.endpoint.name}: {state.splitlines()[0]}")
                said, said_at = state, time.monotonic()
            time.sleep(ASK_S)

    def _ready(self) -> bool:
        found = self._find(self.endpoint.owner()) or {}
        status, wanted = found.get("status", {}), self.endpoint.replicas
        if status.get("observedGeneration", 0) < found.get("metadata", {}).get("generation", 1):
            return False
        if self.endpoint.kserve:
            conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
            return conditions.get("Ready") == "True"
        counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "readyReplicas")]
        return counts == [wanted] * 3

    def _state(self) -> tuple[str, bool]:
        """(what the newest pods wait for, whether waiting is of no use)."""
        selector = f"{ENDPOINT}={self.endpoint.name}"
        pods = self._core.list_namespaced_pod(self.endpoint.namespace, label_selector=selector).items
        if not pods:
            return "waiting for pods" + self._warning(), False
        for pod in sorted(pods, key=lambda each: each.metadata.creation_timestamp, reverse=True):
            for status in [*(pod.status.init_container_statuses or ()), *(pod.status.container_statuses or ())]:
                ended = status.state.terminated or (status.last_state and status.last_state.terminated)
                if ended and ended.exit_code and ended.message:
                    return ended.message.strip(), ended.exit_code == NOT_SERVED
            if why := why_not_running(pod):
                return why, False
        ready = sum(_is_ready(pod) for pod in pods)
        return f"{ready} of {self.endpoint.replicas} pods are ready", False

    def _warning(self) -> str:
        """Why there are no pods, by the last event."""
        name = self.endpoint.object_name
        events = self._core.list_namespaced_event(self.endpoint.namespace).items
        own = [e for e in events if e.type == "Warning" and (e.involved_object.name or "").startswith(name)]
        return f": {own[-1].reason}: {own[-1].message}" if own else ""

    def _find(self, item: Json) -> Json | None:
        return self._call("GET", self._path(item), ok=(404,))

    def _make(self, item: Json, there_ok: bool = False) -> Json:
        return self._call("POST", self._path(item).rpartition("/")[0], item, ok=(409,) if there_ok else ()) or {}

    def _patch(self, item: Json, change: Json) -> Json:
        return self._call("PATCH", self._path(item), change) or {}

    def _path(self, item: Json) -> str:
        version, metadata = item["apiVersion"], item["metadata"]
        root = "api" if "/" not in version else "apis"
        return f"/{root}/{version}/namespaces/{metadata['namespace']}/{PLURALS[item['kind']]}/{metadata['name']}"

    def _call(self, method: str, path: str, body: Any = None, ok: tuple[int, ...] = ()) -> Json | None:
        """None for a status that is `ok`. Raises UserError for others that are none of success."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            answer = self._api.call_api(
                path, method, header_params={"Accept": "application/json", "Content-Type": kind}, body=body,
                auth_settings=["BearerToken"], _preload_content=False, _return_http_data_only=True,
            )  # fmt: skip
        except ApiException as error:
            if error.status in ok:
                return None
            raise _refused(error, method, path) from None
        found: Json = json.loads(answer.data or b"{}")
        return found


def _is_ready(pod: Any) -> bool:
    return any(each.type == "Ready" and each.status == "True" for each in pod.status.conditions or ())


def _fault(state: str, endpoint: ClusterEndpoint, waited_s: float) -> UserError:
    """What the pods said, as a UserError; their own words where they are one."""
    lines = state.splitlines()
    cause = next((line.removeprefix("error: ") for line in lines if line.startswith("error: ")), None)
    remedy = next((line.removeprefix("remedy: ") for line in lines if line.startswith("remedy: ")), None)
    if cause:
        return UserError(f"the endpoint {endpoint.name}: {cause}", remedy or "see the message")
    if TOKEN_SECRET in state or "secret" in state:
        return UserError(
            f"the endpoint {endpoint.name}: {lines[-1]}", 'deploy the part for endpoints: OVERLAY="argo serve"'
        )
    return UserError(
        f"the endpoint {endpoint.name} was not ready after {waited_s:.0f} s: {lines[-1]}",
        "see the message; the image must be there for the nodes (make images PUSH=1, KUBERACER_IMAGES)",
    )


def _refused(error: ApiException, method: str, path: str) -> UserError:
    if error.status == 404 and "/serving.kserve.io/" in path:
        return UserError("the cluster has no KServe", "install KServe there, or take BACKEND=kubernetes")
    try:
        reason = json.loads(error.body)["message"]
    except (TypeError, ValueError, KeyError):
        reason = error.reason
    return UserError(
        f"the cluster refuses {method} {path}: {reason}",
        PART,
    )
