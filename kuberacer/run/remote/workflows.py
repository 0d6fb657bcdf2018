"""Argo's Workflow objects, which KFP's runs are, too: their nodes, their pods, where their artifacts lie."""

import base64
import contextlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping

from kuberacer.run.remote.cluster import Cluster, Json
from kuberacer.run.remote.model import State
from kuberacer.run.remote.stores import credentials, outside
from kuberacer.settings import StoreSettings
from kuberacer.store.client import NotFoundError, ObjectStore

GROUP = "/apis/argoproj.io/v1alpha1"
NODE_ID = "workflows.argoproj.io/node-id"
LOG_ARTIFACT = "main-logs"
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
Nodes = Mapping[str, Json]


class Workflows:
    """Those of one namespace. A context manager: connections to stores last as long as it does."""

    def __init__(self, cluster: Cluster, namespace: str):
        self.cluster = cluster
        self.namespace = namespace
        self._stack = contextlib.ExitStack()
        self._stores: dict[str, ObjectStore] = {}  # by endpoint and bucket

    def __enter__(self) -> "Workflows":
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def path(self, kind: str, name: str = "") -> str:
        return f"{GROUP}/namespaces/{self.namespace}/{kind}" + (f"/{name}" if name else "")

    def get(self, name: str) -> Json:
        return self.cluster.get(self.path("workflows", name))

    def pods(self, name: str) -> list[Json]:
        return self.cluster.items(
            f"/api/v1/namespaces/{self.namespace}/pods", labelSelector=f"workflows.argoproj.io/workflow={name}"
        )

    def log(self, workflow: Json, node: Json) -> bytes | None:
        """A step's log as Argo archived it; None where it did not."""
        for artifact in (newest(node, nodes_of(workflow)).get("outputs") or {}).get("artifacts") or []:
            if artifact["name"] == LOG_ARTIFACT and artifact.get("s3"):
                with contextlib.suppress(NotFoundError):
                    return self.store(workflow, artifact["s3"]).get_bytes(artifact["s3"]["key"])
        return None

    def store(self, workflow: Json, s3: Json) -> ObjectStore:
        """Where an artifact lies: what it does not say itself is said by the workflow's artifact repository."""
        reference = (workflow.get("status") or {}).get("artifactRepositoryRef") or {}
        s3 = {**((reference.get("artifactRepository") or {}).get("s3") or {}), **s3}
        settings = StoreSettings(
            kuberacer_s3_endpoint=f"{'http' if s3.get('insecure') else 'https'}://{s3['endpoint']}",
            kuberacer_s3_bucket=s3["bucket"],
            kuberacer_s3_region=s3.get("region") or "us-east-1",
        )
        key, secret = s3.get("accessKeySecret"), s3.get("secretKeySecret")
        read = None
        if key and secret:
            names = (key["name"], key["key"]), (secret["name"], secret["key"])
            read = lambda: credentials(self.cluster, self.namespace, *names)  # noqa: E731
        return self.opened(settings, read)

    def opened(self, settings: StoreSettings, read: Callable[[], Json] | None = None) -> ObjectStore:
        """The store of these settings, reached once; read: for its credentials."""
        kind = f"{settings.kuberacer_s3_endpoint} {settings.kuberacer_s3_bucket}"
        if kind not in self._stores:
            complete = settings.model_copy(update=read()) if read else settings
            self._stores[kind] = self._stack.enter_context(outside(self.cluster, self.namespace, complete))
        return self._stores[kind]


def nodes_of(workflow: Json) -> Nodes:
    """A workflow's nodes by id, also of one that was too large to store as it is."""
    status = workflow.get("status") or {}
    if status.get("compressedNodes"):
        found: Nodes = json.loads(zlib.decompress(base64.b64decode(status["compressedNodes"]), zlib.MAX_WBITS | 32))
        return found
    return status.get("nodes") or {}


def steps(nodes: Nodes) -> Iterator[Json]:
    """The nodes that stand for one execution of a step each; its attempts, when it is retried, are not among them."""
    attempts = {child for node in nodes.values() if node.get("type") == "Retry" for child in node.get("children") or []}
    for id, node in nodes.items():
        remembered = (node.get("memoizationStatus") or {}).get("hit")  # the step itself did not even begin
        if id not in attempts and (remembered or node.get("type") in ("Pod", "Retry", "Skipped")):
            yield node


def newest(node: Json, nodes: Nodes) -> Json:
    """The last attempt of a step that is retried; of others the step itself."""
    if node.get("type") != "Retry":
        return node
    attempts = [nodes[child] for child in node.get("children") or [] if child in nodes]
    pods = [each for each in attempts if each.get("type") == "Pod"]
    return pods[-1] if pods else node


def state_of(node: Json, nodes: Nodes) -> State:
    state = PHASES.get(node.get("phase", ""), State.WAITING)
    if state is State.SUCCEEDED and (node.get("memoizationStatus") or {}).get("hit"):
        return State.CACHED
    if state is State.RUNNING and newest(node, nodes).get("phase") == "Pending":
        return State.WAITING
    return state


def run_state(workflow: Json) -> State:
    state = PHASES.get((workflow.get("status") or {}).get("phase") or "Running", State.RUNNING)
    return State.RUNNING if state is State.WAITING else state


def message_of(workflow: Json) -> str:
    """Why a workflow failed, as far as it says: its own message, and those of the pods that failed."""
    nodes = nodes_of(workflow)
    failed = [
        f"{node.get('displayName')}: {newest(node, nodes).get('message') or node.get('phase')}"
        for node in steps(nodes)
        if PHASES.get(node.get("phase", "")) is State.FAILED
    ]
    own = (workflow.get("status") or {}).get("message", "")
    return "; ".join(failed[:3]) or own
