"""Kubeflow Pipelines: its API takes and ends runs, its metadata store knows their steps, the cluster their pods."""

import contextlib
import io
import json
import os
import re
import tempfile
import warnings
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.local.artifacts import Artifact
from kuberacer.run.local.cache import Outputs
from kuberacer.run.remote.cluster import Cluster, Json, NotThere
from kuberacer.run.remote.forward import reachable
from kuberacer.run.remote.kfp_steps import STATES, command_of, execution_of, patched_command, path_of, task_of
from kuberacer.run.remote.metadata import Metadata, StoredArtifact
from kuberacer.run.remote.model import RemoteStatus, State
from kuberacer.run.remote.pods import why_waiting
from kuberacer.run.remote.stores import credentials, get_tree
from kuberacer.run.remote.workflows import (
    NODE_ID,
    Nodes,
    Workflows,
    message_of,
    newest,
    nodes_of,
    run_state,
    steps,
)
from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore

EXPERIMENT = "kuberacer"
RUN_ID = "pipeline/runid"  # label of a run's workflow
CONTAINER = "system.ContainerExecution"
_FATAL = re.compile(r"F\d{4} \S+ +\d+ \S+\] ")  # what KFP's driver and launcher say last
MINIO_SECRET = "mlpipeline-minio-artifact"


class KfpEngine:
    """A context manager. namespace: KUBERACER_KFP_NAMESPACE, else `kubeflow`. KUBERACER_KFP_HOST: the API's address."""

    name = "kfp"

    def __init__(self, cluster: Cluster, namespace: str | None = None):
        self.cluster = cluster
        self.namespace = namespace or os.environ.get("KUBERACER_KFP_NAMESPACE") or "kubeflow"
        self._workflows = Workflows(cluster, self.namespace)
        self._stack = contextlib.ExitStack()
        self._api: Any = None
        self._metadata: Metadata | None = None
        self._names: dict[str, str] = {}  # a run's workflow by its id

    def __enter__(self) -> "KfpEngine":
        self._stack.enter_context(self._workflows)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def submit(self, text: str, arguments: Mapping[str, Any], run: str) -> str:
        with tempfile.TemporaryDirectory() as folder, _kfp_errors("start the run"), _quietly():
            path = Path(folder) / "pipeline.yaml"
            path.write_text(text, encoding="utf-8")
            made = self.api.create_run_from_pipeline_package(
                str(path), arguments=dict(arguments), run_name=run, experiment_name=EXPERIMENT
            )
        return str(made.run_id)

    def status(self, id: str) -> RemoteStatus:
        workflow = self._workflow(id)
        nodes = nodes_of(workflow) if workflow else {}
        pods = {number: node for node in steps(nodes) if (number := execution_of(patched_command(node)))}
        executions = {each.id: each for each in self.metadata.executions(id)}
        tasks = tuple(
            task_of(each, executions, pods.get(str(each.id)), nodes)
            for each in executions.values()
            if each.kind == CONTAINER
        )
        state = run_state(workflow) if workflow else self._known_state(id)
        message = ""
        if workflow and state is State.FAILED:
            message = self._why_failed(workflow, nodes)
        elif workflow and not tasks:
            message = self._why_late(workflow)
        return RemoteStatus(state, message, tasks)

    def pods(self, id: str) -> dict[str, Json]:
        workflow = self._workflow(id)
        found = self._workflows.pods(workflow["metadata"]["name"]) if workflow else []
        # A retried step's newest pod comes last.
        found.sort(key=lambda pod: pod["metadata"]["creationTimestamp"])
        return {number: pod for pod in found if (number := execution_of(command_of(pod)))}

    def outputs(self, id: str, path: str, names: Collection[str] | None, folder: Path) -> Outputs:
        executions = {each.id: each for each in self.metadata.executions(id)}
        execution = next(
            (e for e in executions.values() if e.kind == CONTAINER and path_of(e, executions) == path), None
        )
        if execution is None:
            raise NotThere(f"the run {id} has no step {path}", "see its page")
        outputs: Outputs = dict(execution.parameters)
        for name, artifacts in self.metadata.outputs(execution.id).items():
            if names is None or name in names:
                artifact, place = artifacts[0], folder / name
                if self._fetch(artifact, place) or artifact.metadata:
                    outputs[name] = Artifact(name, artifact.type, str(place), artifact.metadata)
        return outputs

    def artifacts(self, id: str) -> Iterator[tuple[str, ObjectStore, str]]:
        executions = {each.id: each for each in self.metadata.executions(id)}
        for execution in executions.values():
            if execution.kind != CONTAINER or STATES[execution.state] is State.CACHED:
                continue
            for artifacts in self.metadata.outputs(execution.id).values():
                for artifact in artifacts:
                    scheme, _, rest = artifact.uri.partition("://")
                    bucket, _, key = rest.partition("/")
                    if scheme in ("minio", "s3") and key:
                        yield path_of(execution, executions), self._store(scheme, bucket, artifact.session), key

    def archived_log(self, id: str, path: str) -> bytes | None:
        workflow = self._workflow(id)
        executions = {each.id: each for each in self.metadata.executions(id)}
        for node in steps(nodes_of(workflow)) if workflow else ():
            number = execution_of(patched_command(node))
            if number and int(number) in executions and path_of(executions[int(number)], executions) == path:
                return self._workflows.log(workflow or {}, node)
        return None

    def address(self, id: str) -> str:
        below = f"#/runs/details/{id}"
        given = os.environ.get("KUBERACER_UI_URL")
        if given:
            return f"{given.rstrip('/')}/{below}"
        with contextlib.suppress(UserError):
            if self.cluster.find(f"/api/v1/namespaces/{self.namespace}/services/ml-pipeline-ui"):
                forward = f"kubectl -n {self.namespace} port-forward service/ml-pipeline-ui 8080:80"
                return f"http://localhost:8080/{below} after `{forward}`"
        return f"run {id} (Kubeflow's UI is not deployed in {self.namespace})"

    def terminate(self, id: str) -> None:
        workflow = self._workflow(id)
        if workflow is not None and not run_state(workflow).ended:
            with _kfp_errors("end the run"):
                self.api.terminate_run(id)

    def delete(self, id: str) -> None:
        workflow = self._workflow(id)
        with _kfp_errors("delete the run", missing_is_fine=True):
            self.api.delete_run(id)
        if workflow is not None:  # the API server of some versions leaves it
            with contextlib.suppress(NotThere):
                path = self._workflows.path("workflows", workflow["metadata"]["name"])
                self.cluster.call("DELETE", path, {"propagationPolicy": "Background"})

    @property
    def api(self) -> Any:
        """kfp.Client, connected."""
        if self._api is None:
            from kfp import Client

            host = os.environ.get("KUBERACER_KFP_HOST")
            if not host:
                host = "http://{}:{}".format(*self._service("ml-pipeline", 8888))
            with _kfp_errors("be reached"), _quietly():
                self._api = Client(host=host, namespace=self.namespace)
                _ensure_experiment(self._api)
        return self._api

    @property
    def metadata(self) -> Metadata:
        if self._metadata is None:
            host, port = self._service("metadata-grpc-service", 8080)
            self._metadata = self._stack.enter_context(Metadata(f"{host}:{port}"))
        return self._metadata

    def _service(self, name: str, port: int) -> tuple[str, int]:
        try:
            return self._stack.enter_context(reachable(self.cluster, self.namespace, name, port))
        except NotThere:
            raise UserError(
                f"Kubeflow Pipelines is not to be had in the namespace {self.namespace}: it has no service {name}",
                "install it (make deploy OVERLAY=kfp), or set KUBERACER_KFP_NAMESPACE to where it is",
            ) from None

    def _workflow(self, id: str) -> Json | None:
        """None before KFP has made it, and after it was deleted."""
        found = self.cluster.items(self._workflows.path("workflows"), labelSelector=f"{RUN_ID}={id}")
        return found[0] if found else None

    def _known_state(self, id: str) -> State:
        """Of a run whose workflow is gone, as one is a day after its end. Raises NotThere when the run is gone, too."""
        with _kfp_errors("find the run"):
            state = str(self.api.get_run(id).state)
        return State.SUCCEEDED if state == "SUCCEEDED" else State.FAILED

    def _why_failed(self, workflow: Json, nodes: Nodes) -> str:
        """What KFP's own pods said before they failed, else what the workflow knows."""
        pods = {(pod["metadata"].get("annotations") or {}).get(NODE_ID): pod for pod in self._own_pods(workflow)}
        for node in steps(nodes):
            last = newest(node, nodes)
            if last.get("phase") in ("Failed", "Error") and not execution_of(patched_command(node)):
                log = self._log_of(workflow, node, pods.get(last["id"]))
                fatal = [line for line in log.splitlines() if _FATAL.match(line)]
                if fatal:
                    return f"{node.get('displayName')}: {_FATAL.sub('', fatal[-1])[:600]}"
        return message_of(workflow)

    def _why_late(self, workflow: Json) -> str:
        """Why there is no step yet: before the first, KFP has pods of its own."""
        waiting = (why_waiting(pod) for pod in self._own_pods(workflow))
        return next((f"a pod of Kubeflow's own waits: {why[0]}" for why in waiting if why), message_of(workflow))

    def _own_pods(self, workflow: Json) -> list[Json]:
        return self._workflows.pods(workflow["metadata"]["name"])

    def _log_of(self, workflow: Json, node: Json, pod: Json | None) -> str:
        with contextlib.suppress(UserError):
            if pod is not None:
                path = f"/api/v1/namespaces/{self.namespace}/pods/{pod['metadata']['name']}/log"
                with self.cluster.open("GET", path, container="main", tailLines=50) as answer:
                    return str(answer.data.decode("utf-8", "replace"))
            return (self._workflows.log(workflow, node) or b"").decode("utf-8", "replace")
        return ""

    def _fetch(self, artifact: StoredArtifact, place: Path) -> bool:
        """False when the step did not write it."""
        scheme, _, rest = artifact.uri.partition("://")
        bucket, _, key = rest.partition("/")
        if scheme not in ("minio", "s3") or not key:
            raise UserError(
                f"the artifact {artifact.uri} is in no S3 store", "use a pipeline root of minio:// or s3://"
            )
        return get_tree(self._store(scheme, bucket, artifact.session), key, place)

    def _store(self, scheme: str, bucket: str, session: str) -> ObjectStore:
        """The store of an artifact: as its session says (KFP 2.3 and later), else the one that KFP brings."""
        said = json.loads(session).get("Params", {}) if session else {}
        endpoint = said.get("endpoint") or (f"minio-service.{self.namespace}:9000" if scheme == "minio" else None)
        secure = said.get("disableSSL", "true" if scheme == "minio" else "false") != "true"
        if endpoint and "://" not in endpoint:
            endpoint = f"{'https' if secure else 'http'}://{endpoint}"
        settings = StoreSettings(
            kuberacer_s3_endpoint=endpoint,
            kuberacer_s3_bucket=bucket,
            kuberacer_s3_region=said.get("region") or "us-east-1",
        )
        name = said.get("secretName") or (MINIO_SECRET if scheme == "minio" else "")
        if (said.get("fromEnv") == "true" and scheme != "minio") or not name:
            return self._workflows.opened(settings)
        keys = said.get("accessKeyKey") or "accesskey", said.get("secretKeyKey") or "secretkey"
        read = lambda: credentials(self.cluster, self.namespace, (name, keys[0]), (name, keys[1]))  # noqa: E731
        return self._workflows.opened(settings, read)


def _ensure_experiment(api: Any) -> None:
    """kfp looks for it and then makes it; another submission may make it in between."""
    import kfp_server_api

    try:
        api.create_experiment(EXPERIMENT, namespace=None)
    except kfp_server_api.ApiException as error:
        if error.status != 409:
            raise
        api.get_experiment(experiment_name=EXPERIMENT)


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Without what kfp's client prints: addresses of a user interface that it only guesses."""
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        yield


@contextlib.contextmanager
def _kfp_errors(what: str, missing_is_fine: bool = False) -> Iterator[None]:
    import kfp_server_api
    import urllib3

    try:
        yield
    except kfp_server_api.ApiException as error:
        if error.status == 404 and missing_is_fine:
            return
        words = str(error.reason)
        with contextlib.suppress(ValueError, TypeError, KeyError):
            words = json.loads(error.body)["error"]
        if error.status == 404:
            raise NotThere(f"Kubeflow Pipelines has no such run: it cannot {what}", "see its page") from error
        cause = (words.strip().splitlines() or ["it does not say why"])[0][:600]  # a stack comes below
        remedy = "see the log of its API server (ml-pipeline)"
        if "RuntimeManifest" in cause:  # MariaDB's words for characters that its table's encoding does not have
            remedy = "its database keeps ASCII only: give files without other characters, or make it utf8mb4"
        raise UserError(f"Kubeflow Pipelines cannot {what}: {cause}", remedy) from error
    except (urllib3.exceptions.HTTPError, OSError, RuntimeError) as error:
        raise UserError(
            f"Kubeflow Pipelines cannot {what}: {str(error).splitlines()[0]}",
            "see whether its API server runs (ml-pipeline)",
        ) from error
