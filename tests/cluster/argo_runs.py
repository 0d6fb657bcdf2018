"""Runs a pipeline on the cluster's Argo Workflows and tells what each of its steps put out."""

import base64
import gzip
import io
import json
import tarfile
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from kuberacer.run.argo import Options, translate, workflow_of
from kuberacer.run.compile import compile_to_text
from kuberacer.run.local.values import parse
from kuberacer.run.spec import Pipeline, read_pipeline
from kuberacer.run.spec.model import Component, Container, Graph

GROUP = {"group": "argoproj.io", "version": "v1alpha1"}
LIMIT_S = 300.0


def cache_of(namespace: str) -> str:
    """The first part of the names of the config maps of a test namespace, in that of Argo's controller."""
    return f"{namespace}-cache"


@dataclass
class Watched:
    """What ran, by the names of the tasks: the outputs of each execution, which failed, which came from the cache."""

    phase: str
    message: str
    outputs: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    failed: set[str] = field(default_factory=set)
    cached: set[str] = field(default_factory=set)
    attempts: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    nodes: dict[str, Any] = field(default_factory=dict)


@dataclass
class ArgoRun:
    """One workflow of a pipeline."""

    namespace: str
    store: Any
    pipeline: Pipeline
    name: str

    @classmethod
    def start(
        cls, pipeline: Any, arguments: Mapping[str, Any], namespace: str, store: Any, options: Options | None = None
    ) -> "ArgoRun":
        from kubernetes import client

        model = read_pipeline(compile_to_text(pipeline))
        name = f"{model.name}-{uuid.uuid4().hex[:6]}"
        manifest = translate(model, options or Options(cache=cache_of(namespace)))
        client.CustomObjectsApi().create_namespaced_custom_object(
            **GROUP, namespace=namespace, plural="workflows", body=workflow_of(manifest, name, arguments)
        )
        return cls(namespace, store, model, name)

    def status(self) -> dict[str, Any]:
        from kubernetes import client

        found = client.CustomObjectsApi().get_namespaced_custom_object(
            **GROUP, namespace=self.namespace, plural="workflows", name=self.name
        )
        status = found.get("status", {})
        if "compressedNodes" in status:  # how Argo keeps the nodes of a workflow of more than 1 MiB
            status["nodes"] = json.loads(gzip.decompress(base64.b64decode(status["compressedNodes"])))
        return status

    def until(self, reached: Callable[[dict[str, Any]], bool], limit_s: float = LIMIT_S) -> dict[str, Any]:
        """The first status with which something is reached. Raises TimeoutError with what each node says."""
        deadline = time.monotonic() + limit_s
        while not reached(status := self.status()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.name} is {status.get('phase')}: {_messages(status)}")
            time.sleep(1)
        return status

    def pods(self) -> list[Any]:
        from kubernetes import client

        mine = f"workflows.argoproj.io/workflow={self.name}"
        return client.CoreV1Api().list_namespaced_pod(self.namespace, label_selector=mine).items

    def wait(self) -> Watched:
        status = self.until(lambda status: status.get("phase") in ("Succeeded", "Failed", "Error"))
        watched = Watched(
            status["phase"], f"{status.get('message', '')} {_messages(status)}", nodes=status.get("nodes", {})
        )
        steps = dict(_steps(self.pipeline, self.pipeline.root))
        for node in watched.nodes.values():
            name = node["displayName"]
            if node["type"] == "Pod":
                watched.attempts[name.partition("(")[0]] += 1
            hit = node.get("memoizationStatus", {}).get("hit", False)
            if hit:
                watched.cached.add(name)
            if name not in steps:
                continue  # a graph, a loop or one of its turns
            if node["type"] == "Retry" and node["phase"] != "Succeeded":
                watched.failed.add(name)
            elif node["type"] == "Retry" or hit:
                watched.outputs[name].append(self._outputs(steps[name], node.get("outputs", {})))
        return watched

    def _outputs(self, component: Component, outputs: dict[str, Any]) -> dict[str, Any]:
        parameters = {one["name"]: one["value"] for one in outputs.get("parameters", [])}
        artifacts = {one["name"]: one for one in outputs.get("artifacts", [])}
        found = {name: parse(parameters[name], spec.type, name) for name, spec in component.output_parameters.items()}
        for name in component.output_artifacts:
            if name in artifacts:
                found[name] = _content(self.store.read(artifacts[name]["s3"]["key"]))
            else:
                said = json.loads(parameters.get("executor-output", "{}")).get("artifacts", {})
                found[name] = said.get(name, {}).get("artifacts", [{}])[0].get("metadata", {})
        return found


def _steps(pipeline: Pipeline, component: Component) -> list[tuple[str, Component]]:
    """The container components by the names of their tasks."""
    if not isinstance(component.body, Graph):
        return []
    found = []
    for name, task in component.body.tasks.items():
        inner = pipeline.components[task.component]
        found += [(name, inner)] if isinstance(inner.body, Container) else _steps(pipeline, inner)
    return found


def _content(data: bytes) -> str | dict[str, str]:
    """A file's text, or a folder's texts by their relative paths."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as packed:
            files = {one.name: packed.extractfile(one) for one in packed.getmembers() if one.isfile()}
            texts = {name: file.read().decode() for name, file in files.items() if file is not None}
            if [one.isfile() for one in packed.getmembers()] == [True]:
                return next(iter(texts.values()))
            return {name.partition("/")[2]: text for name, text in texts.items()}
    except tarfile.ReadError:
        return data.decode()


def _messages(status: dict[str, Any]) -> str:
    nodes = status.get("nodes", {}).values()
    return "; ".join(f"{node['displayName']} {node['phase']} {node.get('message', '')}" for node in nodes) or str(
        status
    )
