"""What an endpoint is on a cluster: small, without rights, and owned by one object."""

import pytest

from kuberacer.stages.endpoint_objects import ClusterEndpoint

KINDS = ["ServiceAccount", "Role", "RoleBinding", "Service", "PodDisruptionBudget", "NetworkPolicy"]


def endpoint(**keys) -> ClusterEndpoint:
    given = {
        "name": "car",
        "run": "kidney-1",
        "digest": "sha256:abc",
        "image": "i:1",
        "namespace": "team",
        "expires_at": 99.0,
    }
    return ClusterEndpoint(**{**given, **keys})


def test_everything_has_one_name_and_says_whose_it_is():
    found = endpoint()
    assert [item["kind"] for item in found.owned()] == KINDS
    for item in [found.owner(), *found.owned()]:
        assert (item["metadata"]["name"], item["metadata"]["namespace"]) == ("endpoint-car", "team")
        assert item["metadata"]["labels"]["app.kubernetes.io/part-of"] == "kuberacer"
        assert item["metadata"]["labels"]["kuberacer.io/endpoint"] == "car"


def test_it_may_delete_itself_and_nothing_else():
    (rule,) = next(item for item in endpoint().owned() if item["kind"] == "Role")["rules"]
    assert rule == {
        "apiGroups": ["apps"], "resources": ["deployments"], "resourceNames": ["endpoint-car"], "verbs": ["delete"]
    }  # fmt: skip
    pod = endpoint().pod()
    (server,) = pod["containers"]
    assert server["args"][-2:] == ["--delete", "apps/v1/deployments/endpoint-car"]
    token = [
        mount["name"] for each in pod["containers"] for mount in each["volumeMounts"] if mount["name"] == "account"
    ]
    assert token == ["account"]
    assert "account" not in [mount["name"] for mount in pod["initContainers"][0]["volumeMounts"]]


def test_one_that_never_expires_has_no_right_and_no_token():
    found = endpoint(expires_at=None)
    assert [item["kind"] for item in found.owned()] == [kind for kind in KINDS if not kind.startswith("Role")]
    assert "account" not in [volume["name"] for volume in found.pod()["volumes"]]
    assert "--expires-at" not in found.pod()["containers"][0]["args"]


def test_only_the_step_that_fetches_has_the_store_s_credentials():
    pod = endpoint().pod()
    (fetching,), (serving,) = pod["initContainers"], pod["containers"]
    assert fetching["envFrom"] == [{"secretRef": {"name": "kuberacer-store"}}]
    assert "envFrom" not in serving
    assert [each["valueFrom"]["secretKeyRef"]["name"] for each in serving["env"]] == ["kuberacer-serve"]
    assert next(m for m in serving["volumeMounts"] if m["name"] == "model")["readOnly"] is True


@pytest.mark.parametrize("kserve", [False, True])
def test_pods_keep_to_the_restricted_profile(kserve):
    pod = endpoint(kserve=kserve).pod()
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    for container in pod["initContainers"] + pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}
        }  # fmt: skip
        assert {"cpu", "memory"} <= set(container["resources"]["requests"])
        assert "memory" in container["resources"]["limits"]


def test_a_pod_ends_after_what_it_is_answering():
    pod = endpoint().pod()
    (server,) = pod["containers"]
    drains = int(server["lifecycle"]["preStop"]["exec"]["command"][1])
    assert pod["terminationGracePeriodSeconds"] > drains + 20  # the server's own patience
    assert endpoint().owner()["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0


def test_one_pod_needs_no_budget_that_keeps_one():
    assert "PodDisruptionBudget" not in [item["kind"] for item in endpoint(replicas=1).owned()]


def test_kserve_gets_the_same_pod_as_its_predictor():
    found = endpoint(kserve=True)
    service = found.owner()
    assert (service["apiVersion"], service["kind"]) == ("serving.kserve.io/v1beta1", "InferenceService")
    assert service["metadata"]["annotations"]["serving.kserve.io/deploymentMode"] == "Standard"
    predictor = service["spec"]["predictor"]
    assert (predictor["minReplicas"], predictor["maxReplicas"]) == (2, 2)
    (server,) = predictor["containers"]
    assert server["name"] == "kserve-container"
    assert server["args"][-1] == "serving.kserve.io/v1beta1/inferenceservices/endpoint-car"
    assert "Service" not in [item["kind"] for item in found.owned()]
    assert found.address == "http://endpoint-car-predictor.team.svc/v1/models/car"
