"""`make deploy` on a real cluster: the store works, accounts may do what they must and no more, nothing is left behind.

Who may talk to whom is in test_network.py.
"""

import base64
import json
import time

import pytest
import yaml
from deployment import OWN, apply_policy, kubectl, overlay, run_deploy
from race_runs import on_a_node

from kuberacer import __version__
from kuberacer.run.remote.cluster import Cluster

SECRETS = ("kuberacer-store", "kuberacer-redis", "kuberacer-store-identities", "kuberacer-store-keys")


def secret(namespace: str, name: str) -> dict[str, str]:
    """What it holds, still in base64: enough to compare, and no value in a report of a failed test."""
    return json.loads(kubectl("-n", namespace, "get", "secret", name, "-o", "json"))["data"]


def pod(name: str, image: str, command: list[str], labels: dict[str, str] | None = None, **fields) -> dict:
    """One that Pod Security's restricted profile lets in, with a file system that it cannot write."""
    container = {
        "name": "main",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": command,
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],
    }
    security = {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    spec = {
        "restartPolicy": "Never",
        "securityContext": security,
        "volumes": [{"name": "tmp", "emptyDir": {}}],
        "containers": [{**container, **fields}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels or {}}, "spec": spec}


def run_pod(namespace: str, manifest: dict, seconds: float = 180) -> str:
    """Its log, once it has succeeded."""
    name = manifest["metadata"]["name"]
    kubectl("-n", namespace, "apply", "-f", "-", text=yaml.safe_dump(manifest))
    deadline = time.monotonic() + seconds
    while (phase := kubectl("-n", namespace, "get", "pod", name, "-o", "jsonpath={.status.phase}")) != "Succeeded":
        said = kubectl("-n", namespace, "logs", name, check=False) if phase == "Failed" else ""
        assert phase != "Failed", said
        assert time.monotonic() < deadline, kubectl("-n", namespace, "describe", "pod", name)
        time.sleep(0.5)
    log = kubectl("-n", namespace, "logs", name)
    kubectl("-n", namespace, "delete", "pod", name, "--wait=false")
    return log


HELLO = (
    "from kuberacer.settings import StoreSettings; from kuberacer.store.client import ObjectStore\n"
    "store = ObjectStore(StoreSettings.from_environment())\n"
    "store.put_bytes('tests/hello', b'from a pod')\n"
    "print(store.get_bytes('tests/hello').decode(), list(store.list('tests/')))\n"
    "store.delete('tests/hello')"
)


def member(name: str, program: str, **fields) -> dict:
    """A pod that the network policies let to the store."""
    return pod(name, f"kuberacer/tools:{__version__}", ["python", "-c", program], OWN, **fields)


def with_store(name: str, program: str) -> dict:
    return member(name, program, envFrom=[{"secretRef": {"name": "kuberacer-store"}}])


def test_store_keeps_an_object_for_a_pod_of_the_namespace(deployed):
    assert run_pod(deployed, with_store("store", HELLO)) == "from a pod ['tests/hello']\n"


def test_overlay_s3_uses_the_store_that_is_named(deployed):
    """Here: that of the other installation, which lets this one in."""
    name = f"{deployed}-s3"
    store = {"matchLabels": {"app.kubernetes.io/name": "kuberacer-store"}}
    guests = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
    apply_policy(deployed, "guests", podSelector=store, ingress=[{"from": [guests]}])
    settings = {key: base64.b64decode(value).decode() for key, value in secret(deployed, "kuberacer-store").items()}
    try:
        run_deploy(name, **settings, OVERLAY="s3")
        assert kubectl("-n", name, "get", "statefulsets", "-o", "name") == ""
        repository = kubectl(
            "-n", name, "get", "configmap", "artifact-repositories", "-o", "jsonpath={.data.kuberacer}"
        )
        s3 = yaml.safe_load(repository)["s3"]
        assert (s3["endpoint"], s3["insecure"]) == (f"kuberacer-store.{deployed}.svc:8333", True)
        assert run_pod(name, with_store("store", HELLO)) == "from a pod ['tests/hello']\n"
        run_deploy(name, OVERLAY="s3")  # the secret of before
        same = secret(name, "kuberacer-store") == secret(deployed, "kuberacer-store")
        assert same
    finally:
        kubectl("-n", deployed, "delete", "networkpolicy", "guests")
        run_deploy(name, "undeploy")


@pytest.mark.parametrize("image", ["tools", "rollout", "race", "race-gpu"])
def test_image_is_well_for_any_user_without_a_writable_root(deployed, image):
    if image == "race-gpu" and not on_a_node(Cluster(), image):
        pytest.skip("no node has the image race-gpu, which is large: make images IMAGE_NAMES=race-gpu, and load it")
    manifest = pod(f"health-{image}", f"kuberacer/{image}:{__version__}", ["python", "-m", "kuberacer.health"])
    manifest["spec"]["securityContext"] |= {"runAsUser": 54321, "runAsGroup": 0}
    said = run_pod(deployed, manifest).splitlines()[-1]
    assert said.startswith(f"{image} is well")
    assert image == "tools" or "kernels loaded for" in said, "kernels were compiled anew"


def test_credentials_give_the_one_bucket_only(deployed):
    program = (
        "from kuberacer.settings import StoreSettings; from kuberacer.store.client import ObjectStore, make_client\n"
        "settings = StoreSettings.from_environment()\n"
        "for call in ('create_bucket', 'list_objects_v2'):\n"
        "    try:\n"
        "        getattr(make_client(settings), call)(Bucket='another'); print(call, 'is let through')\n"
        "    except Exception as error:\n"
        "        print(call, error.response['Error']['Code'])"
    )
    asking = with_store("bucket", program)
    assert run_pod(deployed, asking).splitlines() == ["create_bucket AccessDenied", "list_objects_v2 AccessDenied"]


@pytest.mark.parametrize(
    ("account", "verb", "resource", "where", "allowed"),
    [
        ("kuberacer-pipeline", "create", "jobs.batch", "", True),
        ("kuberacer-pipeline", "patch", "jobs.batch", "", True),
        ("kuberacer-pipeline", "create", "services", "", True),
        ("kuberacer-pipeline", "patch", "workflowtaskresults.argoproj.io", "", True),
        ("kuberacer-pipeline", "list", "events", "", True),
        ("kuberacer-pipeline", "get", "pods", "", True),
        ("kuberacer-pipeline", "create", "jobs.batch", "-build", True),
        ("kuberacer-pipeline", "create", "pods", "", False),
        ("kuberacer-pipeline", "create", "pods/exec", "", False),
        ("kuberacer-pipeline", "get", "secrets", "", False),
        ("kuberacer-pipeline", "get", "secrets", "-build", False),
        ("kuberacer-pipeline", "create", "pods", "-build", False),
        ("kuberacer-pipeline", "create", "jobs.batch", "default", False),
        ("kuberacer-pipeline", "update", "roles.rbac.authorization.k8s.io", "", False),
        ("kuberacer-rollout", "get", "pods", "", False),
        ("kuberacer-rollout", "get", "secrets", "", False),
        ("kuberacer-rollout", "create", "jobs.batch", "", False),
        ("kuberacer-store", "get", "secrets", "", False),
        ("default", "get", "pods", "", False),
    ],
)
def test_accounts_may_do_what_they_must_and_no_more(deployed, account, verb, resource, where, allowed):
    place = where if where == "default" else deployed + where
    who = f"--as=system:serviceaccount:{deployed}:{account}"
    said = kubectl("-n", place, "auth", "can-i", verb, resource, who, check=False)
    assert said.strip().splitlines()[-1] == ("yes" if allowed else "no"), said


def admitted(namespace: str, manifest: dict) -> str:
    """What the API server says of the pod, which is not made."""
    text = yaml.safe_dump(manifest)
    return kubectl("-n", namespace, "create", "--dry-run=server", "-f", "-", text=text, check=False)


def test_pod_security_lets_ours_in_and_others_not(deployed):
    builds = f"{deployed}-build"
    privileged = pod("theirs", "kuberacer/race:1", ["true"], securityContext={"privileged": True})
    as_root = pod("root", "kuberacer/builder:1", ["true"])
    as_root["spec"]["securityContext"] = {"runAsUser": 0}
    assert admitted(deployed, pod("ours", "kuberacer/race:1", ["true"])) == "pod/ours created (server dry run)\n"
    assert admitted(builds, as_root) == "pod/root created (server dry run)\n"
    for namespace, manifest in ((deployed, as_root), (deployed, privileged), (builds, privileged)):
        assert "violates PodSecurity" in admitted(namespace, manifest)


def test_second_deployment_keeps_the_credentials_and_the_store(deployed):
    before = [secret(deployed, name) for name in SECRETS]
    started = kubectl("-n", deployed, "get", "pod", "kuberacer-store-0", "-o", "jsonpath={.metadata.uid}")
    run_deploy(deployed)
    # A bare comparison: pytest would write the values into its report.
    same = before == [secret(deployed, name) for name in SECRETS]
    assert same
    assert kubectl("-n", deployed, "get", "pod", "kuberacer-store-0", "-o", "jsonpath={.metadata.uid}") == started


def test_undeploy_leaves_nothing(kubeconfig, tmp_path):
    name = "kr-test-undeploy"
    run_deploy(name)
    run_deploy(name, "undeploy")
    assert kubectl("get", "namespaces", name, f"{name}-build", "--ignore-not-found") == ""
    everywhere = ("clusterroles", "clusterrolebindings", "priorityclasses", "persistentvolumes")
    found = kubectl("get", ",".join(everywhere), "-l", "app.kubernetes.io/part-of=kuberacer", "-o", "name")
    assert found == ""


def test_overlay_kfp_gives_kubeflow_s_steps_what_they_need(deployed):
    """In a namespace that stands for Kubeflow's, with the pools of overlay gpu."""
    name, kubeflow = f"{deployed}-of-kfp", f"{deployed}-kfp"
    kubectl("create", "namespace", kubeflow)
    words = overlay().replace("argo", "kfp gpu")
    try:
        run_deploy(name, OVERLAY=words, KFP_NAMESPACE=kubeflow)
        for what in ("kuberacer-store", "kuberacer-redis"):
            same = secret(name, what) == secret(kubeflow, what)
            assert same
        pools = kubectl("-n", kubeflow, "get", "configmap", "kuberacer-rollout", "-o", "json")
        assert "kuberacer.io/pool" in json.loads(json.loads(pools)["data"]["KUBERACER_ROLLOUT_NODE_SELECTOR"])
        runner = f"--as=system:serviceaccount:{kubeflow}:pipeline-runner"
        for place, resource in ((kubeflow, "jobs.batch"), (kubeflow, "services"), (f"{name}-build", "jobs.batch")):
            assert kubectl("-n", place, "auth", "can-i", "create", resource, runner) == "yes\n"
        assert kubectl("-n", kubeflow, "auth", "can-i", "get", "secrets", runner, check=False).startswith("no")
    finally:
        run_deploy(name, "undeploy", KFP_NAMESPACE=kubeflow)
        ours = ("all,secrets,configmaps,roles", "-l", "app.kubernetes.io/part-of=kuberacer", "-o", "name")
        left = kubectl("-n", kubeflow, "get", *ours)
        kubectl("delete", "namespace", kubeflow)
        kubectl("delete", "priorityclass", "kuberacer-rollout", "--ignore-not-found")
    assert left == ""


def test_wrong_credentials_are_denied(deployed):
    """The store is not open to whoever finds it."""
    port = 8333
    address = kubectl("-n", deployed, "get", "service", "kuberacer-store", "-o", "jsonpath={.spec.clusterIP}")
    program = (
        "import urllib.request, urllib.error\n"
        f"for path in ('/kuberacer/', '/kuberacer/tests/x'):\n"
        "    try:\n"
        f"        urllib.request.urlopen('http://{address}:{port}' + path); print('open')\n"
        "    except urllib.error.HTTPError as error:\n"
        "        print(error.code)"
    )
    assert run_pod(deployed, member("without-keys", program)).split() == ["403", "403"]
