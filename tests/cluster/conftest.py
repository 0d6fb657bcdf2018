"""A real cluster for tests: that of KUBECONFIG, with Argo Workflows and an object store for its artifacts."""

import base64
import os
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from deployment import deployed  # noqa: F401  KubeRacer's manifests, for the tests that ask for them

sys.path.insert(0, str(Path(__file__).parents[1] / "local"))  # the conformance pipelines
os.environ.setdefault("CONFORMANCE_IMAGE", os.environ.get("KUBERACER_TEST_IMAGE", "localhost/python:bookworm"))

ARGO_NAMESPACES = ("argo", "kubeflow")
CACHES = "workflows.argoproj.io/configmap-type=Cache"
LONGEST = ("test_race_kfp", "test_race_argo", "test_faults")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first: the processes that run the tests end at about the same time."""
    order = {name: at for at, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(item.path.stem, len(order)))


@dataclass(frozen=True)
class Store:
    """Where the cluster's Argo keeps artifacts. secret: the name of the one with its keys; data: what is in it."""

    bucket: str
    client: Any
    secret: str
    data: dict[str, str]

    def read(self, key: str) -> bytes:
        return self.client.get_object(Bucket=self.bucket, Key=key)["Body"].read()


@pytest.fixture(scope="session")
def kubeconfig() -> str:
    """The path of the cluster's kubeconfig; tests that ask for it are skipped without a cluster."""
    path = os.environ.get("KUBECONFIG", "")
    if not path or not Path(path).exists():
        pytest.skip("no cluster: KUBECONFIG names none")
    from kubernetes import config

    config.load_kube_config(path)
    return path


@pytest.fixture(scope="session")
def store(kubeconfig: str) -> Store:
    """The artifact repository of the cluster's Argo, as its configuration says; its address must answer here too."""
    import boto3
    from botocore.config import Config
    from kubernetes import client

    core = client.CoreV1Api()
    settings, home = _artifact_repository(core)
    secret = settings["accessKeySecret"]["name"]
    data = _secret(core, secret, (home, "default", *ARGO_NAMESPACES))
    key, password = (
        base64.b64decode(data[settings[part]["key"]]).decode() for part in ("accessKeySecret", "secretKeySecret")
    )
    endpoint = os.environ.get("KUBERACER_TEST_S3") or settings["endpoint"]
    if "://" not in endpoint:
        endpoint = f"http{'' if settings.get('insecure') else 's'}://{endpoint}"
    s3 = boto3.client(
        "s3",
        endpoint_url=endpoint,
        aws_access_key_id=key,
        aws_secret_access_key=password,
        region_name=settings.get("region", "us-east-1"),
        config=Config(request_checksum_calculation="when_required", response_checksum_validation="when_required"),
    )
    return Store(settings["bucket"], s3, secret, data)


def _artifact_repository(core: Any) -> tuple[dict[str, Any], str]:
    from kubernetes.client import ApiException

    for namespace in ARGO_NAMESPACES:
        try:
            found = core.read_namespaced_config_map("workflow-controller-configmap", namespace)
        except ApiException as error:
            if error.status != 404:
                raise
        else:
            return yaml.safe_load(found.data["artifactRepository"])["s3"], namespace
    pytest.skip("no Argo Workflows in the cluster")


def _secret(core: Any, name: str, namespaces: tuple[str, ...]) -> dict[str, str]:
    from kubernetes.client import ApiException

    for namespace in namespaces:
        try:
            return core.read_namespaced_secret(name, namespace).data
        except ApiException as error:
            if error.status != 404:
                raise
    raise LookupError(f"no secret {name} in {', '.join(namespaces)}")


@pytest.fixture(scope="session")
def namespace(kubeconfig: str, store: Store) -> Iterator[str]:
    """A namespace of these tests alone, in which Argo can run pipelines; removed at the end."""
    from kubernetes import client, utils

    name = f"kr-test-{uuid.uuid4().hex[:8]}"
    text = (Path(__file__).parent / "namespace.yaml").read_text(encoding="utf-8").replace("{namespace}", name)
    for document in yaml.safe_load_all(text):
        utils.create_from_dict(client.ApiClient(), document)
    core = client.CoreV1Api()
    secret = client.V1Secret(metadata=client.V1ObjectMeta(name=store.secret), data=store.data)
    core.create_namespaced_secret(name, secret)
    try:
        yield name
    finally:
        if not os.environ.get("KUBERACER_TEST_KEEP"):
            core.delete_namespace(name)
            for found in core.list_config_map_for_all_namespaces(label_selector=CACHES).items:
                if found.metadata.name.startswith(f"{name}-cache"):
                    core.delete_namespaced_config_map(found.metadata.name, found.metadata.namespace)
