"""Argo Workflows: the pipeline as a WorkflowTemplate, a run as a Workflow of it, through the Kubernetes API alone."""

import contextlib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.local.artifacts import Artifact
from kuberacer.run.local.cache import Outputs
from kuberacer.run.remote.cluster import Cluster, Json, NotThere
from kuberacer.run.remote.model import PART_LABELS, RUN_LABEL, RemoteStatus, RemoteTask, State
from kuberacer.run.remote.stores import get_tree
from kuberacer.run.remote.unpack import unpack
from kuberacer.run.remote.workflows import (
    LOG_ARTIFACT,
    NODE_ID,
    Nodes,
    Workflows,
    message_of,
    newest,
    nodes_of,
    run_state,
    state_of,
    steps,
)
from kuberacer.run.spec import read_pipeline
from kuberacer.store.client import NotFoundError, ObjectStore

_ITEM = re.compile(r"^(?P<name>.+?)\((?P<index>\d+)(:.*)?\)$", re.DOTALL)

_TURN, _CACHED = "turn", "-cached"  # of kuberacer.run.argo


class ArgoEngine:
    """A context manager. namespace: KUBERACER_NAMESPACE, else `kuberacer`."""

    name = "argo"

    def __init__(self, cluster: Cluster, namespace: str | None = None):
        self.cluster = cluster
        self.namespace = namespace or os.environ.get("KUBERACER_NAMESPACE") or "kuberacer"
        self._workflows = Workflows(cluster, self.namespace)

    def __enter__(self) -> "ArgoEngine":
        return self

    def __exit__(self, *error: object) -> None:
        self._workflows.__exit__(*error)

    def submit(self, text: str, arguments: Mapping[str, Any], run: str) -> str:
        from kuberacer.run.argo import argument_text, translate  # hera takes seconds to import

        template = translate(read_pipeline(text, "the pipeline"))
        workflow = _workflow(template, {name: argument_text(value) for name, value in arguments.items()}, run)
        try:
            self.cluster.apply(self._workflows.path("workflowtemplates"), template)
            made = self.cluster.call("POST", self._workflows.path("workflows"), workflow)
        except NotThere as error:
            raise UserError(
                f"Argo Workflows is not to be had in the namespace {self.namespace}: {error.cause}",
                "install it and deploy (make deploy OVERLAY=argo); KUBERACER_NAMESPACE names another namespace",
            ) from None
        return str(made["metadata"]["name"])

    def status(self, id: str) -> RemoteStatus:
        workflow = self._workflows.get(id)
        nodes = nodes_of(workflow)
        tasks = [_task(node, nodes) for node in steps(nodes)]
        tasks.sort(key=lambda task: (task.started, task.path))
        return RemoteStatus(run_state(workflow), message_of(workflow), tuple(tasks))

    def pods(self, id: str) -> dict[str, Json]:
        return {(pod["metadata"].get("annotations") or {}).get(NODE_ID, ""): pod for pod in self._workflows.pods(id)}

    def outputs(self, id: str, path: str, names: Collection[str] | None, folder: Path) -> Outputs:
        workflow = self._workflows.get(id)
        found = _node_of(workflow, path).get("outputs") or {}
        outputs: Outputs = {each["name"]: each.get("value", "") for each in found.get("parameters") or []}
        for artifact in found.get("artifacts") or []:
            name = artifact["name"]
            if name != LOG_ARTIFACT and (names is None or name in names):
                place = folder / name
                if self._fetch(workflow, artifact, place):
                    outputs[name] = Artifact(name, "", str(place))
        return outputs

    def artifacts(self, id: str) -> Iterator[tuple[str, ObjectStore, str]]:
        workflow = self._workflows.get(id)
        nodes = nodes_of(workflow)
        for node in nodes.values():  # every attempt, its archived log among the artifacts
            if node.get("type") == "Pod" and state_of(node, nodes) is not State.CACHED:
                for artifact in (node.get("outputs") or {}).get("artifacts") or []:
                    if (artifact.get("s3") or {}).get("key"):
                        store = self._workflows.store(workflow, artifact["s3"])
                        yield _path_of(node, nodes), store, artifact["s3"]["key"]

    def archived_log(self, id: str, path: str) -> bytes | None:
        workflow = self._workflows.get(id)
        return self._workflows.log(workflow, _node_of(workflow, path))

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
            self.cluster.call("PATCH", self._workflows.path("workflows", id), {"spec": {"shutdown": "Stop"}})

    def delete(self, id: str) -> None:
        with contextlib.suppress(NotThere):
            self.cluster.call("DELETE", self._workflows.path("workflows", id), {"propagationPolicy": "Background"})

    def _fetch(self, workflow: Json, artifact: Json, place: Path) -> bool:
        """False when the step did not write it."""
        s3 = artifact.get("s3")
        if not s3:
            raise UserError(f"the artifact {artifact['name']} is in no S3 store", "use an S3 artifact repository")
        store = self._workflows.store(workflow, s3)
        if "none" in (artifact.get("archive") or {}):
            return get_tree(store, s3["key"], place)
        archive = place.with_name(f".{place.name}.archive")
        try:
            store.get_file(s3["key"], archive)
            unpack(archive, place)
        except NotFoundError:
            return False
        finally:
            archive.unlink(missing_ok=True)
        return True


def _workflow(template: Json, arguments: Mapping[str, str], run: str) -> Json:
    """A run of a template, with all that the template says: Argo's controller may know an older one for a moment."""
    spec = template["spec"]
    label = run[:63].rstrip("-")
    declared = [
        {**parameter, "value": arguments.get(parameter["name"], parameter.get("value", ""))}
        for parameter in (spec.get("arguments") or {}).get("parameters") or []
    ]
    pods = spec.get("podMetadata") or {}
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {
            "generateName": f"{run[:50].rstrip('-')}-",
            "labels": {
                **PART_LABELS,
                RUN_LABEL: label,
                "workflows.argoproj.io/workflow-template": template["metadata"]["name"],
            },
        },
        "spec": {
            **{name: value for name, value in spec.items() if name != "workflowMetadata"},
            "arguments": {**(spec.get("arguments") or {}), "parameters": declared},
            # What the template names after the workflow: a run that is resumed has several.
            "podMetadata": {**pods, "labels": {**(pods.get("labels") or {}), RUN_LABEL: label}},
        },
    }


def _task(node: Json, nodes: Nodes) -> RemoteTask:
    last = newest(node, nodes)
    return RemoteTask(
        path=_path_of(node, nodes),
        state=state_of(node, nodes),
        pod=last["id"],
        message=last.get("message") or node.get("message", ""),
        started=node.get("startedAt") or "",
        finished=node.get("finishedAt") or "",
    )


def _path_of(node: Json, nodes: Nodes) -> str:
    """Names of the tasks on the way to it, as the local runner writes them: `for-loop-1[0].say`.

    The translator puts a template of its own around a loop's turns and around a step that may be remembered.
    """
    name = str(node.get("displayName") or node["name"])
    found = _ITEM.match(name)
    index = f"[{found['index']}]" if found else ""
    name = found["name"] if found else name
    parent = nodes.get(node.get("boundaryID", ""))
    if parent is None or not parent.get("boundaryID"):
        return name + index
    above = _path_of(parent, nodes)
    if index and name == _TURN:
        return above + index
    if str(parent.get("templateName", "")).endswith(_CACHED) and name == parent.get("displayName"):
        return above
    return f"{above}.{name}{index}"


def _node_of(workflow: Json, path: str) -> Json:
    nodes = nodes_of(workflow)
    for node in steps(nodes):
        if _path_of(node, nodes) == path:
            return node
    raise NotThere(f"the run {workflow['metadata']['name']} has no step {path}", "see its page")
