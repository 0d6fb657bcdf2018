"""Argo Workflows: the pipeline as a WorkflowTemplate, a run as a Workflow of it, through the Kubernetes API alone."""

import contextlib
import os
import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.local.artifacts import Artifact
from kuberacer.run.local.cache import Outputs
from kuberacer.run.local.values import to_text
from kuberacer.run.remote.cluster import Cluster, Json, NotThere
from kuberacer.run.remote.model import PART_LABELS, RUN_LABEL, RemoteStatus, RemoteTask, State
from kuberacer.run.remote.stores import credentials, get_tree, outside
from kuberacer.run.remote.unpack import unpack
from kuberacer.run.spec import read_pipeline
from kuberacer.settings import StoreSettings
from kuberacer.store.client import NotFoundError, ObjectStore

GROUP = "/apis/argoproj.io/v1alpha1"
PHASES = {
    "Pending": State.WAITING,
    "Running": State.RUNNING,
    "Succeeded": State.SUCCEEDED,
    "Failed": State.FAILED,
    "Error": State.FAILED,
    "Skipped": State.SKIPPED,
    "Omitted": State.SKIPPED,
    "Daemoned": State.RUNNING,
}
NODE_ID = "workflows.argoproj.io/node-id"
LOG_ARTIFACT = "main-logs"
_ITEM = re.compile(r"^(?P<name>.+?)\((?P<index>\d+)(:.*)?\)$", re.DOTALL)


class ArgoEngine:
    """A context manager. namespace: KUBERACER_NAMESPACE, else `kuberacer`."""

    name = "argo"

    def __init__(self, cluster: Cluster, namespace: str | None = None):
        self.cluster = cluster
        self.namespace = namespace or os.environ.get("KUBERACER_NAMESPACE") or "kuberacer"
        self._stack = contextlib.ExitStack()
        self._stores: dict[str, ObjectStore] = {}

    def __enter__(self) -> "ArgoEngine":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def submit(self, text: str, arguments: Mapping[str, Any], run: str) -> str:
        from kuberacer.run.argo import translate  # hera takes seconds to import

        pipeline = read_pipeline(text, "the pipeline")
        template = translate(pipeline)
        labels = {**PART_LABELS, RUN_LABEL: run[:63].rstrip("-")}
        workflow = {
            "apiVersion": "argoproj.io/v1alpha1",
            "kind": "Workflow",
            "metadata": {"generateName": f"{run[:50].rstrip('-')}-", "labels": labels},
            "spec": {
                "workflowTemplateRef": {"name": template["metadata"]["name"]},
                "arguments": {"parameters": [{"name": n, "value": to_text(v)} for n, v in arguments.items()]},
                "podMetadata": {"labels": labels},
            },
        }
        try:
            self.cluster.apply(self._path("workflowtemplates"), template)
            made = self.cluster.call("POST", self._path("workflows"), workflow)
        except NotThere as error:
            raise UserError(
                f"Argo Workflows is not to be had in the namespace {self.namespace}: {error.cause}",
                "install it and deploy (make deploy OVERLAY=argo); KUBERACER_NAMESPACE names another namespace",
            ) from None
        return str(made["metadata"]["name"])

    def status(self, id: str) -> RemoteStatus:
        status = self._workflow(id).get("status") or {}
        nodes: dict[str, Json] = status.get("nodes") or {}
        tasks = [task for node in nodes.values() if (task := _task(node, nodes)) is not None]
        tasks.sort(key=lambda task: (task.started, task.path))
        state = PHASES.get(status.get("phase") or "Running", State.RUNNING)
        return RemoteStatus(State.RUNNING if state is State.WAITING else state, status.get("message", ""), tuple(tasks))

    def pods(self, id: str) -> dict[str, Json]:
        found = self.cluster.items(
            f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=f"workflows.argoproj.io/workflow={id}"
        )
        return {(pod["metadata"].get("annotations") or {}).get(NODE_ID, ""): pod for pod in found}

    def outputs(self, id: str, path: str, names: Collection[str] | None, folder: Path) -> Outputs:
        workflow = self._workflow(id)
        node = _node_of(workflow, path)
        found = node.get("outputs") or {}
        outputs: Outputs = {each["name"]: each.get("value", "") for each in found.get("parameters") or []}
        for artifact in found.get("artifacts") or []:
            name = artifact["name"]
            if name != LOG_ARTIFACT and (names is None or name in names):
                place = folder / name
                if self._fetch(workflow, artifact, place):
                    outputs[name] = Artifact(name, "", str(place))
        return outputs

    def archived_log(self, id: str, path: str) -> bytes | None:
        with contextlib.suppress(NotFoundError, NotThere):
            workflow = self._workflow(id)
            node = _newest(_node_of(workflow, path), workflow["status"]["nodes"])
            for artifact in (node.get("outputs") or {}).get("artifacts") or []:
                if artifact["name"] == LOG_ARTIFACT:
                    return self._store(workflow, artifact["s3"]).get_bytes(artifact["s3"]["key"])
        return None

    def address(self, id: str) -> str:
        below = f"workflows/{self.namespace}/{id}"
        given = os.environ.get("KUBERACER_UI_URL")
        if given:
            return f"{given.rstrip('/')}/{below}"
        for namespace in dict.fromkeys(("argo", self.namespace)):
            with contextlib.suppress(UserError):
                if self.cluster.find(f"/api/v1/namespaces/{namespace}/services/argo-server"):
                    forward = f"kubectl -n {namespace} port-forward service/argo-server 2746"
                    return f"https://localhost:2746/{below} after `{forward}`"
        return f"`kubectl -n {self.namespace} get workflow {id}` (there is no Argo server)"

    def terminate(self, id: str) -> None:
        with contextlib.suppress(NotThere):
            self.cluster.call("PATCH", self._path("workflows", id), {"spec": {"shutdown": "Stop"}})

    def delete(self, id: str) -> None:
        with contextlib.suppress(NotThere):
            self.cluster.call("DELETE", self._path("workflows", id), {"propagationPolicy": "Background"})

    def _path(self, kind: str, name: str = "") -> str:
        return f"{GROUP}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")

    def _workflow(self, id: str) -> Json:
        return self.cluster.get(self._path("workflows", id))

    def _fetch(self, workflow: Json, artifact: Json, place: Path) -> bool:
        """False when the step did not write it."""
        place_in_store = artifact.get("s3")
        if not place_in_store:
            raise UserError(f"the artifact {artifact['name']} is in no S3 store", "use an S3 artifact repository")
        store, key = self._store(workflow, place_in_store), place_in_store["key"]
        if "none" in (artifact.get("archive") or {}):
            return get_tree(store, key, place)
        archive = place.with_name(f".{place.name}.archive")
        try:
            store.get_file(key, archive)
            unpack(archive, place)
        except NotFoundError:
            return False
        finally:
            archive.unlink(missing_ok=True)
        return True

    def _store(self, workflow: Json, s3: Json) -> ObjectStore:
        """Where an artifact lies: what it does not say itself is said by the workflow's artifact repository."""
        reference = workflow["status"].get("artifactRepositoryRef") or {}
        s3 = {**((reference.get("artifactRepository") or {}).get("s3") or {}), **s3}
        kind = f"{s3.get('endpoint')} {s3.get('bucket')}"
        if kind not in self._stores:
            settings = StoreSettings(
                kuberacer_s3_endpoint=f"{'http' if s3.get('insecure') else 'https'}://{s3['endpoint']}",
                kuberacer_s3_bucket=s3["bucket"],
                kuberacer_s3_region=s3.get("region") or "us-east-1",
            )
            if s3.get("accessKeySecret"):
                key, secret = s3["accessKeySecret"], s3["secretKeySecret"]
                found = credentials(
                    self.cluster, self.namespace, (key["name"], key["key"]), (secret["name"], secret["key"])
                )
                settings = settings.model_copy(update=found)
            self._stores[kind] = self._stack.enter_context(outside(self.cluster, self.namespace, settings))
        return self._stores[kind]


def _task(node: Json, nodes: Mapping[str, Json]) -> RemoteTask | None:
    """A step's execution; None for groups, and for the attempts of a step that is retried."""
    if node.get("type") not in ("Pod", "Retry", "Skipped"):
        return None
    parent = nodes.get(node.get("boundaryID", ""))
    if _is_attempt(node, nodes):
        return None
    state = PHASES.get(node.get("phase", ""), State.WAITING)
    if state is State.SUCCEEDED and (node.get("memoizationStatus") or {}).get("hit"):
        state = State.CACHED
    newest = _newest(node, nodes)
    if state is State.RUNNING and newest.get("phase") == "Pending":
        state = State.WAITING
    return RemoteTask(
        path=_path_of(node, parent, nodes),
        state=state,
        pod=newest["id"],
        message=newest.get("message") or node.get("message", ""),
        started=node.get("startedAt") or "",
        finished=node.get("finishedAt") or "",
    )


def _is_attempt(node: Json, nodes: Mapping[str, Json]) -> bool:
    return "retried" in (node.get("nodeFlag") or {}) or any(
        other.get("type") == "Retry" and node["id"] in (other.get("children") or []) for other in nodes.values()
    )


def _newest(node: Json, nodes: Mapping[str, Json]) -> Json:
    """The last attempt of a step that is retried; of others the step itself."""
    if node.get("type") != "Retry" or not node.get("children"):
        return node
    attempts = [nodes[child] for child in node["children"] if child in nodes]
    pods = [each for each in attempts if each.get("type") == "Pod"]
    return pods[-1] if pods else node


def _path_of(node: Json, parent: Json | None, nodes: Mapping[str, Json]) -> str:
    """Names of the tasks on the way to it: `for-loop-1[0].say`."""
    name = str(node.get("displayName") or node["name"])
    found = _ITEM.match(name)
    if found:
        name = f"{found['name']}[{found['index']}]"
    if parent is None or not parent.get("boundaryID"):
        return name
    return f"{_path_of(parent, nodes.get(parent['boundaryID']), nodes)}.{name}"


def _node_of(workflow: Json, path: str) -> Json:
    nodes = (workflow.get("status") or {}).get("nodes") or {}
    for node in nodes.values():
        task = _task(node, nodes)
        if task is not None and task.path == path:
            return dict(node)
    raise NotThere(f"the run {workflow['metadata']['name']} has no step {path}", "see its page")
