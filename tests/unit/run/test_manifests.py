"""Every overlay builds without a network, and all that it starts is small, unprivileged and labelled."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from kuberacer.retention import Policy

ROOT = Path(__file__).parents[3]
MANIFESTS = ROOT / "manifests"
OVERLAYS = sorted(path.parent.name for path in (MANIFESTS / "overlays").glob("*/kustomization.yaml"))
THIRD_PARTY = sorted(path.parent.name for path in (MANIFESTS / "third-party").glob("*/kustomization.yaml"))

needs_kubectl = pytest.mark.skipif(shutil.which("kubectl") is None, reason="no kubectl")


def rendered(folder: Path) -> list[dict]:
    ended = subprocess.run(["kubectl", "kustomize", folder], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return list(yaml.safe_load_all(ended.stdout))


def of_kind(documents: list[dict], kind: str) -> list[dict]:
    return [document for document in documents if document["kind"] == kind]


@pytest.fixture(scope="module", params=[*OVERLAYS, "argo watch", "argo serve"])
def overlay(request, tmp_path_factory) -> list[dict]:
    """An overlay, or one with components after it, as `manifests/deploy` puts them together."""
    if shutil.which("kubectl") is None:
        pytest.skip("no kubectl")
    name, *components = request.param.split()
    if not components:
        return rendered(MANIFESTS / "overlays" / name)
    folder = tmp_path_factory.mktemp("together")
    manifests = os.path.relpath(MANIFESTS, folder)
    parts = [f"{manifests}/components/{component}" for component in components]
    (folder / "kustomization.yaml").write_text(
        yaml.safe_dump({"resources": [f"{manifests}/overlays/{name}"], "components": parts})
    )
    return rendered(folder)


def test_overlays_are_those_that_are_promised():
    assert OVERLAYS == ["argo", "gpu", "kfp", "kind", "s3"]


def test_everything_is_labelled_and_named_once(overlay):
    for document in overlay:
        assert document["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kuberacer", document["metadata"]
    names = [(d["kind"], d["metadata"].get("namespace"), d["metadata"]["name"]) for d in overlay]
    assert len(names) == len(set(names))


def test_namespaces_carry_their_pod_security(overlay):
    profiles = {
        document["metadata"]["name"]: document["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for document in of_kind(overlay, "Namespace")
    }
    assert profiles == {"kuberacer": "restricted", "kuberacer-build": "baseline"}


def test_workloads_are_unprivileged_and_limited(overlay):
    for workload in of_kind(overlay, "StatefulSet") + of_kind(overlay, "Deployment") + of_kind(overlay, "Job"):
        pod = workload["spec"]["template"]["spec"]
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["runAsUser"] > 0
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert workload["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kuberacer"
        for container in pod["containers"] + pod.get("initContainers", []):
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"] is True
            assert context["allowPrivilegeEscalation"] is False
            assert context["capabilities"] == {"drop": ["ALL"]}
            assert {"cpu", "memory"} <= set(container["resources"]["requests"])
            assert "memory" in container["resources"]["limits"]
            assert not container["image"].endswith(":latest")
            assert ":" in container["image"]


def test_no_role_is_wide(overlay):
    assert not of_kind(overlay, "ClusterRole")
    assert not of_kind(overlay, "ClusterRoleBinding")
    for role in of_kind(overlay, "Role"):
        for rule in role["rules"]:
            assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]
            assert "secrets" not in rule["resources"]
            assert "pods/exec" not in rule["resources"]


def test_accounts_without_rights_get_no_token(overlay):
    with_token = {
        account["metadata"]["name"]
        for account in of_kind(overlay, "ServiceAccount")
        if account.get("automountServiceAccountToken", True)
    }
    assert with_token == {"kuberacer-pipeline"}


def test_nothing_secret_is_written_down(overlay):
    assert not of_kind(overlay, "Secret")


def test_all_traffic_is_denied_unless_a_rule_lets_it(overlay):
    policies = {
        (p["metadata"]["namespace"], p["metadata"]["name"]): p["spec"] for p in of_kind(overlay, "NetworkPolicy")
    }
    deny = policies["kuberacer", "default-deny"]
    assert deny == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    workers = policies["kuberacer", "rollouts"]
    ports = {port["port"] for rule in workers["egress"] for port in rule["ports"]}
    assert ports == {6379}
    for name in ("steps", "rollouts"):
        for rule in policies["kuberacer", name].get("ingress", []):
            assert rule["from"]
            assert rule["ports"]


@needs_kubectl
def test_store_belongs_to_all_but_s3():
    for name in OVERLAYS:
        names = {d["metadata"]["name"] for d in of_kind(rendered(MANIFESTS / "overlays" / name), "StatefulSet")}
        assert names == (set() if name == "s3" else {"kuberacer-store"}), name


@needs_kubectl
def test_scratch_store_has_no_volume_to_wait_for(tmp_path):
    folder = ROOT / "build" / tmp_path.name
    folder.mkdir(parents=True)
    try:
        lines = ["resources: [../../manifests/overlays/argo]", "components: [../../manifests/components/scratch-store]"]
        (folder / "kustomization.yaml").write_text("\n".join(lines))
        (store,) = of_kind(rendered(folder), "StatefulSet")
    finally:
        shutil.rmtree(folder)
    assert "volumeClaimTemplates" not in store["spec"]
    volumes = {volume["name"]: volume for volume in store["spec"]["template"]["spec"]["volumes"]}
    assert "emptyDir" in volumes["data"]


@needs_kubectl
def test_retention_is_added_on_demand_and_unprivileged(tmp_path):
    assert not any("components/retention" in path.read_text() for path in MANIFESTS.glob("overlays/*/*.yaml"))
    folder = ROOT / "build" / tmp_path.name
    folder.mkdir(parents=True)
    try:
        lines = ["resources: [../../manifests/overlays/argo]", "components: [../../manifests/components/retention]"]
        (folder / "kustomization.yaml").write_text("\n".join(lines))
        documents = rendered(folder)
    finally:
        shutil.rmtree(folder)
    (job,) = of_kind(documents, "CronJob")
    pod = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    test_workloads_are_unprivileged_and_limited([{**job["spec"]["jobTemplate"], "kind": "Job"}])
    (container,) = pod["containers"]
    assert container["command"][1:] == ["-m", "kuberacer.stages.prune_runs", "--yes"]
    (policy,) = [d["data"] for d in of_kind(documents, "ConfigMap") if d["metadata"]["name"] == "kuberacer-retention"]
    assert Policy.from_environment(policy) == Policy(10, 30.0, 1, True)


def test_third_party_is_referenced_at_pinned_versions():
    assert THIRD_PARTY == ["argo", "kfp", "kfp-cluster"]
    for name in THIRD_PARTY:
        resources = yaml.safe_load((MANIFESTS / "third-party" / name / "kustomization.yaml").read_text())["resources"]
        remote = [resource for resource in resources if "://" in resource]
        assert remote
        for resource in remote:
            assert resource.partition("?ref=")[2].strip("v").replace(".", "").isdigit(), resource


def test_images_share_their_versions():
    """What race, race-gpu and rollout have in common, they have at one version; the GPU's list is the CPU's."""
    locks = {name: locked(name) for name in ("race", "race-gpu", "rollout")}
    for name in ("race-gpu", "rollout"):
        for package in locks["race"].keys() & locks[name].keys():
            assert locks["race"][package] == locks[name][package], f"{name}: {package}"
    assert locks["race"].keys() - locks["race-gpu"].keys() == {"tensorflow-cpu"}
    assert "tensorflow-cpu" not in locks["rollout"]
    assert not any(package.startswith(("tensorflow", "rl-coach")) for package in locks["rollout"])


def locked(name: str) -> dict[str, list[str]]:
    versions: dict[str, list[str]] = {}
    for line in (ROOT / "images" / name / "requirements.lock").read_text().splitlines():
        if "==" in line and not line.startswith((" ", "#")):
            package, _, rest = line.partition("==")
            versions.setdefault(package.strip(), []).append(rest.split()[0])
    return versions


@pytest.mark.parametrize(
    "name", ["race", "race-gpu", "rollout", "deepracer", "tools", "watch", "serve", "builder", "unity"]
)
def test_dockerfiles_end_small_and_unprivileged(name):
    text = (ROOT / "images" / name / "Dockerfile").read_text()
    last = text[text.rindex("\nFROM ") :]
    assert "FROM ${BASE_IMAGE}" in last
    assert "HEALTHCHECK" in last
    assert ("USER 10001:0" in last) == (name != "builder")
    assert "pip install" not in last
    assert "gcc" not in text


def test_the_few_modules_of_the_builder_are_all_that_it_imports(tmp_path):
    text = (ROOT / "images" / "builder" / "Dockerfile").read_text()
    for path in re.findall(r"\bkuberacer/[a-z_/]+\.py\b", text):
        copied = tmp_path / path
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / path, copied)
    command = [sys.executable, "-S", "-m", "kuberacer.health"]  # -S: nothing that is installed
    environment = {"PYTHONPATH": str(tmp_path), "KUBERACER_IMAGE": "builder"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_the_trainer_for_gpus_has_what_the_other_has():
    cpu, gpu = ((ROOT / "images" / name / "Dockerfile").read_text() for name in ("race", "race-gpu"))
    told = cpu.replace("for CPUs", "for NVIDIA GPUs").replace("images/build race", "images/build race-gpu")
    told = told.replace("images/race/requirements", "images/race-gpu/requirements").replace(
        "IMAGE=race", "IMAGE=race-gpu"
    )
    assert gpu == told.replace("kuberacer/race", "kuberacer/race-gpu")
