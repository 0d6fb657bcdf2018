"""KubeRacer's manifests deployed for the tests alone, in namespaces of their own, as `make deploy` does it."""

import json
import os
import shutil
import subprocess
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

OWN = {"app.kubernetes.io/part-of": "kuberacer"}
STEP = {**OWN, "workflows.argoproj.io/workflow": "a-run", "kuberacer.io/role": "stage"}
"""Labels by which the network policies know what is KubeRacer's, and a pipeline's steps."""
DEPLOY = Path(__file__).parents[2] / "manifests" / "deploy"


def kubectl(*arguments: str, text: str | None = None, check: bool = True) -> str:
    """Standard output of kubectl; with its standard error when it may fail."""
    ended = subprocess.run(["kubectl", *arguments], input=text, capture_output=True, text=True, timeout=240)
    assert not check or ended.returncode == 0, f"kubectl {' '.join(arguments)}: {ended.stderr}"
    return ended.stdout if check else ended.stdout + ended.stderr


def run_deploy(namespace: str, *arguments: str, **settings: str) -> str:
    environment = {**os.environ, "NAMESPACE": namespace, "OVERLAY": overlay(), "INSTALL": "", **settings}
    ended = subprocess.run([DEPLOY, *arguments], capture_output=True, text=True, env=environment, timeout=400)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def overlay() -> str:
    """With a volume where the cluster makes volumes; the cluster of the development machine does not."""
    return "argo serve" if "(default)" in kubectl("get", "storageclass") else "argo scratch-store serve"


def apply_policy(namespace: str, name: str, **spec: object) -> None:
    """Put a NetworkPolicy there."""
    metadata = {"name": name, "namespace": namespace}
    policy = {"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": metadata, "spec": spec}
    kubectl("apply", "-f", "-", text=json.dumps(policy))


@contextmanager
def deployment(**settings: str) -> Iterator[str]:
    """A deployment of its own, and the name of its namespace; that for builds is called <name>-build."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl")
    name = f"kr-test-{uuid.uuid4().hex[:8]}"
    try:
        run_deploy(name, **settings)
        yield name
    finally:
        if not os.environ.get("KUBERACER_TEST_KEEP"):
            run_deploy(name, "undeploy", **settings)


@pytest.fixture(scope="session")
def deployed(kubeconfig: str) -> Iterator[str]:
    """The name of the namespace."""
    with deployment() as name:
        yield name
