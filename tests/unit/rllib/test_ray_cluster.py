"""The RayCluster that a step asks KubeRay for, and when it asks for none."""

import pytest
from kubernetes import client

from kuberacer.rllib import ray_cluster
from kuberacer.rllib.algorithm import runners_for
from kuberacer.rllib.ray_cluster import cluster_name, manifest, ray_nodes, unusable
from kuberacer.rollout import own_pod
from kuberacer.rollout.own_pod import OwnPod

POD = OwnPod("step-1", "kuberacer", "7a6b", "10.0.0.7")
IMAGE = "registry.example/kuberacer/unity@sha256:1"
SETTINGS = {"KUBERACER_ROLLOUT_NODE_SELECTOR": '{"pool": "cpu"}'}


@pytest.fixture
def made():
    return manifest(cluster_name(POD), POD, "my run", IMAGE, 3, "2.60.0", SETTINGS)


def pods(made):
    return [made["spec"]["headGroupSpec"]["template"], made["spec"]["workerGroupSpecs"][0]["template"]]


def test_the_cluster_goes_with_the_steps_pod(made):
    assert made["metadata"]["ownerReferences"] == [{"apiVersion": "v1", "kind": "Pod", "name": "step-1", "uid": "7a6b"}]
    assert made["metadata"]["name"] != cluster_name(OwnPod("step-1", "kuberacer", "other", "10.0.0.7"))


def test_its_nodes_run_the_steps_image_without_rights(made):
    for pod in pods(made):
        spec = pod["spec"]
        (container,) = spec["containers"]
        assert container["image"] == IMAGE
        assert not spec["automountServiceAccountToken"]
        assert spec["securityContext"]["runAsNonRoot"]
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"]
        assert not security["allowPrivilegeEscalation"]
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/tmp", "/dev/shm"}
        assert pod["metadata"]["labels"]["kuberacer.io/role"] == "ray"  # what the network policies know them by
        (token,) = [entry for entry in container["env"] if entry["name"] == "RAY_AUTH_TOKEN"]
        assert "value" not in token  # a secret's name


def test_only_the_workers_play_and_go_where_workers_go(made):
    head, worker = pods(made)
    assert made["spec"]["headGroupSpec"]["rayStartParams"]["num-cpus"] == "0"
    group = made["spec"]["workerGroupSpecs"][0]
    assert (group["replicas"], group["minReplicas"], group["maxReplicas"]) == (3, 3, 3)
    assert worker["spec"]["nodeSelector"] == {"pool": "cpu"}
    assert "nodeSelector" not in head["spec"]


class Answers:
    def __init__(self, status: int):
        self.status = status

    def list_namespaced_custom_object(self, *_, **__):
        if self.status != 200:
            raise client.ApiException(status=self.status)
        return {"items": []}


def test_without_kuberay_or_rights_ray_runs_in_the_pod():
    assert unusable(Answers(200), "kuberacer") == ""
    assert "no KubeRay" in unusable(Answers(404), "kuberacer")
    assert "may not use KubeRay" in unusable(Answers(403), "kuberacer")
    with pytest.raises(client.ApiException):
        unusable(Answers(500), "kuberacer")


def test_an_account_without_rights_need_not_even_read_its_own_pod(monkeypatch, tmp_path):
    """As that of a namespace where nothing of ours is deployed."""
    (tmp_path / "namespace").write_text("theirs")
    monkeypatch.setattr(own_pod, "NAMESPACE", tmp_path / "namespace")
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERACER_IMAGE_UNITY", IMAGE)
    monkeypatch.setattr(ray_cluster.config, "load_incluster_config", lambda: None)
    monkeypatch.setattr(ray_cluster.client, "CustomObjectsApi", lambda: Answers(403))
    said = []
    with ray_nodes("run", 2, said.append) as address:
        assert address is None
    assert said == [
        "Ray runs in this pod: this service account may not use KubeRay, if it is there (Role kuberacer-pipeline)"
    ]


def test_outside_a_cluster_nothing_is_asked_for(monkeypatch):
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with ray_nodes("run", 2, print) as address:
        assert address is None


@pytest.mark.parametrize(
    ("cpus", "gib", "runners"), [(2, 24, 1), (1, 24, 1), (16, 64, 15), (64, 12, 11), (8, 1, 1), (4, 4, 3)]
)
def test_as_many_play_as_cpus_and_memory_allow(cpus, gib, runners):
    assert runners_for(cpus, gib << 30) == runners
