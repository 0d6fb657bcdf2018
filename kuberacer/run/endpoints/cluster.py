"""Endpoints on the cluster of the kubeconfig: Deployments, and KServe's InferenceServices where there are any."""

import contextlib
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kuberacer.endpoint import TOKEN
from kuberacer.errors import UserError
from kuberacer.formats.policy import FILENAME, ONNX
from kuberacer.run.endpoints.asking import Address
from kuberacer.run.remote.cluster import Cluster, Json
from kuberacer.run.remote.forward import reachable
from kuberacer.run.remote.stores import runs_store
from kuberacer.run.stage import run_stage
from kuberacer.store.client import ObjectStore

SELECTOR = "app.kubernetes.io/name=kuberacer-endpoint"
ENDPOINT, RUN, EXPIRES = "kuberacer.io/endpoint", "kuberacer.io/run", "kuberacer.io/expires-at"
TOKEN_SECRET = "kuberacer-serve"
GONE_S = 120.0
KINDS = ("/apis/apps/v1/namespaces/{}/deployments", "/apis/serving.kserve.io/v1beta1/namespaces/{}/inferenceservices")


@dataclass(frozen=True)
class RemoteEndpoint:
    """path: of the object that owns all others."""

    path: str
    object: Json

    @property
    def name(self) -> str:
        return str(self.object["metadata"]["labels"][ENDPOINT])

    @property
    def run(self) -> str:
        return str(self._annotations.get(RUN, ""))

    @property
    def expires_at(self) -> float | None:
        text = self._annotations.get(EXPIRES, "never")
        return None if text == "never" else float(text)

    @property
    def kserve(self) -> bool:
        return self.path.startswith("/apis/serving.kserve.io/")

    @property
    def service(self) -> str:
        name = str(self.object["metadata"]["name"])
        return f"{name}-predictor" if self.kserve else name

    @property
    def model(self) -> str:
        return f"http://{self.service}.{self.object['metadata']['namespace']}.svc/v1/models/{self.name}"

    @property
    def _annotations(self) -> dict[str, Any]:
        return self.object["metadata"].get("annotations") or {}


class Endpoints:
    """Those of one namespace: KUBERACER_NAMESPACE, else `kuberacer`."""

    def __init__(self) -> None:
        self.cluster = Cluster()
        self.namespace = os.environ.get("KUBERACER_NAMESPACE") or "kuberacer"

    def deploy(self, out: Path, run: str, name: str, expires: str, replicas: int, kserve: bool) -> None:
        """Run the stage `serve` here, on that cluster; its lines appear as it says them. Raises UserError."""
        from components.images import SERVE  # kfp is slow to import

        options = {
            "run-to-serve": run, "name": name, "expires": expires, "replicas": str(replicas),
            "namespace": self.namespace, "kserve": str(int(kserve)),
        }  # fmt: skip
        with runs_store(self.cluster, self.namespace) as store:
            _send(store, out, run)
            run_stage("serve", options, {**store.settings.environment(), "KUBERACER_IMAGE_SERVE": SERVE})

    def all(self) -> list[RemoteEndpoint]:
        found = []
        for kind in KINDS:
            path = kind.format(self.namespace)
            listed = self.cluster.find(path, labelSelector=SELECTOR) or {}  # a cluster without KServe has no such kind
            # What KServe makes of an InferenceService has its labels, too.
            own = [o for o in listed.get("items", []) if not o["metadata"].get("ownerReferences")]
            found += [RemoteEndpoint(f"{path}/{each['metadata']['name']}", each) for each in own]
        return found

    @contextlib.contextmanager
    def reached(self, endpoint: RemoteEndpoint) -> Iterator[Address]:
        """Where this machine reaches it, while the context is open."""
        token = (self.cluster.secret(self.namespace, TOKEN_SECRET) or {}).get(TOKEN, "")
        with reachable(self.cluster, self.namespace, endpoint.service) as (host, port):
            yield Address(endpoint.name, host, port, token)

    def delete(self, endpoint: RemoteEndpoint) -> None:
        """Returns when its pods are gone, too. Raises UserError."""
        self.cluster.call("DELETE", endpoint.path, {"propagationPolicy": "Background"})
        pods, until = f"/api/v1/namespaces/{self.namespace}/pods", time.monotonic() + GONE_S
        mine = f"{SELECTOR},{ENDPOINT}={endpoint.name}"
        while self.cluster.find(endpoint.path) is not None or self.cluster.items(pods, labelSelector=mine):
            if time.monotonic() > until:
                raise UserError(f"pods of {endpoint.name} are still there", f"see kubectl get pods -l {mine}")
            time.sleep(0.5)


def _send(store: ObjectStore, out: Path, run: str) -> None:
    """The model of a run of this machine goes where the cluster's pods can fetch it."""
    model = out / run / "model"
    if all((model / name).is_file() for name in (FILENAME, ONNX)) and not store.exists(f"{run}/model/{FILENAME}"):
        for name in (ONNX, FILENAME):
            store.put_file(f"{run}/model/{name}", model / name)
        print(f"sent: the model of {run} to {store.address(f'{run}/model')}", flush=True)
