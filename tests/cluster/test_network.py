"""Who may talk to whom: the deployed NetworkPolicies, tried pod by pod against manifests/README.md's table.

Whether they are kept to depends on the cluster's network plugin: kind's does, a plain bridge does not (skipped then).
"""

import json
import uuid
from collections.abc import Iterator

import pytest
import yaml
from deployment import OWN, STEP, apply_policy, kubectl
from test_manifests import pod, run_pod

from kuberacer import __version__

TOOLS = f"kuberacer/tools:{__version__}"
ROLLOUT = {**OWN, "kuberacer.io/role": "rollout"}
RAY = {**OWN, "kuberacer.io/role": "ray"}
LISTENS = """
import selectors, socket
waiting = selectors.DefaultSelector()
for port in (6379, 7000):
    waiting.register(socket.create_server(("", port)), selectors.EVENT_READ)
while True:
    for key, _ in waiting.select():
        key.fileobj.accept()[0].close()
"""
ASKS = """
import json, socket, sys
for name, (host, port) in json.loads(sys.argv[1]).items():
    try:
        socket.create_connection((host, port), 4).close(); print(name)
    except socket.gaierror:
        print("no name for", host)
    except OSError:
        pass
"""


def reached(namespace: str, labels: dict[str, str], targets: dict[str, tuple[str, int]]) -> set[str]:
    """Those of the targets that take a connection from a pod with these labels."""
    asking = pod(f"asks-{uuid.uuid4().hex[:6]}", TOOLS, ["python", "-c", ASKS, json.dumps(targets)], labels)
    return set(run_pod(namespace, asking).splitlines())


def listen(namespace: str, name: str, labels: dict[str, str]) -> str:
    """The address of a pod that takes connections at 6379 and 7000."""
    ready = {"tcpSocket": {"port": 7000}, "periodSeconds": 1}
    listening = pod(name, TOOLS, ["python", "-c", LISTENS], labels, readinessProbe=ready)
    kubectl("-n", namespace, "apply", "-f", "-", text=yaml.safe_dump(listening))
    kubectl("-n", namespace, "wait", "--for=condition=ready", f"pod/{name}", "--timeout=60s")
    return kubectl("-n", namespace, "get", "pod", name, "-o", "jsonpath={.status.podIP}")


@pytest.fixture(scope="module")
def policies(deployed: str) -> str:
    """The namespace; skips where a policy that shuts a namespace shuts nothing."""
    name = f"{deployed}-shut"
    kubectl("create", "namespace", name)
    try:
        apply_policy(name, "shut", podSelector={}, policyTypes=["Ingress", "Egress"])
        if reached(name, {}, {"listening": (listen(name, "listening", {}), 7000)}):
            pytest.skip("the cluster's network plugin keeps to no NetworkPolicies")
    finally:
        kubectl("delete", "namespace", name, "--wait=false")
    return deployed


@pytest.fixture(scope="module")
def targets(policies: str) -> Iterator[dict[str, tuple[str, int]]]:
    """By name: host and port."""
    trainer = listen(policies, "trainer", STEP)
    ray = listen(policies, "ray", RAY)
    yield {
        "API server": ("kubernetes.default.svc", 443),
        "store": (f"kuberacer-store.{policies}.svc", 8333),
        "Redis": (trainer, 6379),
        "trainer": (trainer, 7000),
        "Ray": (ray, 7000),
    }
    kubectl("-n", policies, "delete", "pod", "trainer", "ray", "--wait=false")


@pytest.mark.parametrize(
    ("where", "labels", "allowed"),
    [
        ("", STEP, {"store", "Ray"}),
        ("", ROLLOUT, {"store", "Redis"}),
        ("", RAY, {"store", "Redis", "trainer", "Ray"}),
        ("", {}, set()),
        ("", OWN, {"store"}),
        ("-build", {}, {"store"}),
        ("default", STEP, set()),
        ("default", ROLLOUT, set()),
    ],
    ids=["step", "rollout", "ray", "stranger", "live view", "build", "step elsewhere", "rollout elsewhere"],
)
def test_only_what_must_talk_talks(policies, targets, where, labels, allowed):
    found = reached(where if where == "default" else policies + where, labels, targets)
    # What a pod asks of its own node, some plugins let through, whatever the policies say; the API server may be there.
    assert found - {"API server"} == allowed


def test_steps_reach_the_api_server(policies, targets):
    assert "API server" in reached(policies, STEP, targets)
