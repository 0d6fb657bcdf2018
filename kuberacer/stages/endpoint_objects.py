"""What an endpoint is on a cluster: a Deployment (or KServe's InferenceService), and all that it owns.

The pods fetch the model before they serve it, by its digest; only that step has the object store's credentials. The
server's account may delete the one object to which all others belong, for when it has expired.
"""

from dataclasses import dataclass
from typing import Any

from kuberacer.endpoint import TOKEN
from kuberacer.rollout.cluster_workers import label

Json = dict[str, Any]
PORT = 8080
STORE_SECRET, TOKEN_SECRET = "kuberacer-store", "kuberacer-serve"
ENDPOINT, EXPIRES = "kuberacer.io/endpoint", "kuberacer.io/expires-at"
ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount"
DRAIN_S, END_S = 5, 40  # from a pod's leaving the Service to its SIGTERM, and from then to its end
WITHOUT_RIGHTS = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


@dataclass(frozen=True)
class ClusterEndpoint:
    """name: the model's. digest: of its files. replicas: pods. kserve: an InferenceService instead of a Deployment."""

    name: str
    run: str
    digest: str
    image: str
    namespace: str
    expires_at: float | None = None
    replicas: int = 2
    kserve: bool = False

    @property
    def object_name(self) -> str:
        return f"endpoint-{self.name}"

    @property
    def path(self) -> str:
        """Of the object that owns the others: group, version, plural, name."""
        kind = "serving.kserve.io/v1beta1/inferenceservices" if self.kserve else "apps/v1/deployments"
        return f"{kind}/{self.object_name}"

    @property
    def address(self) -> str:
        service = f"{self.object_name}-predictor" if self.kserve else self.object_name
        return f"http://{service}.{self.namespace}.svc/v1/models/{self.name}"

    @property
    def labels(self) -> Json:
        return {
            "app.kubernetes.io/part-of": "kuberacer",
            "app.kubernetes.io/name": "kuberacer-endpoint",
            ENDPOINT: self.name,
            "kuberacer.io/served-run": label(self.run),
        }

    @property
    def selector(self) -> Json:
        return {"app.kubernetes.io/name": "kuberacer-endpoint", ENDPOINT: self.name}

    def owner(self) -> Json:
        """The Deployment without pods, or the InferenceService as it is."""
        about = {
            EXPIRES: "never" if self.expires_at is None else f"{self.expires_at:.0f}",
            "kuberacer.io/run": self.run,
        }
        if self.kserve:
            about["serving.kserve.io/deploymentMode"] = "Standard"
            predictor = {**self.pod(), "minReplicas": self.replicas, "maxReplicas": self.replicas}
            spec: Json = {"predictor": {**predictor, "labels": self.labels}}
            return self._object("serving.kserve.io/v1beta1", "InferenceService", spec=spec, annotations=about)
        spec = {
            "replicas": 0,  # until all that its pods need is there
            "selector": {"matchLabels": self.selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
            "template": {"metadata": {"labels": self.labels}, "spec": self.pod()},
        }
        return self._object("apps/v1", "Deployment", spec=spec, annotations=about)

    def owned(self) -> list[Json]:
        """In the order in which they are made."""
        found = [self._object("v1", "ServiceAccount", automountServiceAccountToken=False)]
        if self.expires_at is not None:
            found += self._right()
        if not self.kserve:  # KServe makes its own
            ports = [{"name": "http", "port": 80, "targetPort": "http"}]
            found.append(self._object("v1", "Service", spec={"selector": self.selector, "ports": ports}))
        if self.replicas > 1:
            spec = {"minAvailable": 1, "selector": {"matchLabels": self.selector}}
            found.append(self._object("policy/v1", "PodDisruptionBudget", spec=spec))
        return [*found, self._network()]

    def pod(self) -> Json:
        """The pods' specification."""
        spread = {
            "maxSkew": 1,
            "topologyKey": "kubernetes.io/hostname",
            "whenUnsatisfiable": "ScheduleAnyway",
            "labelSelector": {"matchLabels": self.selector},
        }
        return {
            "serviceAccountName": self.object_name,
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "terminationGracePeriodSeconds": DRAIN_S + END_S,
            "securityContext": {
                "runAsNonRoot": True, "runAsUser": 10001, "runAsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "topologySpreadConstraints": [spread],
            "initContainers": [self._fetching()],
            "containers": [self._serving()],
            "volumes": [
                {"name": "model", "emptyDir": {"sizeLimit": "2Gi"}},
                {"name": "tmp", "emptyDir": {"sizeLimit": "256Mi"}},
                *([ACCOUNT_VOLUME] if self.expires_at is not None else []),
            ],
        }  # fmt: skip

    def _fetching(self) -> Json:
        return {
            **self._container("model", ["python", "-m", "kuberacer.serve.fetch"]),
            "args": ["--run", self.run, "--digest", self.digest, "--to", "/model"],
            "envFrom": [{"secretRef": {"name": STORE_SECRET}}],
            "resources": {"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
            "volumeMounts": [{"name": "model", "mountPath": "/model"}, {"name": "tmp", "mountPath": "/tmp"}],
        }

    def _serving(self) -> Json:
        arguments = ["--model", "/model", "--name", self.name, "--run", self.run, "--digest", self.digest]
        arguments += ["--host", "0.0.0.0", "--port", str(PORT)]
        mounts: list[Json] = [
            {"name": "model", "mountPath": "/model", "readOnly": True}, {"name": "tmp", "mountPath": "/tmp"}
        ]  # fmt: skip
        if self.expires_at is not None:
            arguments += ["--expires-at", f"{self.expires_at:.0f}", "--delete", self.path]
            mounts.append({"name": "account", "mountPath": ACCOUNT, "readOnly": True})

        def probe(path: str, **more: int) -> Json:
            return {"httpGet": {"path": path, "port": "http"}, "timeoutSeconds": 5, **more}

        return {
            **self._container("kserve-container" if self.kserve else "server", ["python", "-m", "kuberacer.serve"]),
            "args": arguments,
            "env": [{"name": TOKEN, "valueFrom": {"secretKeyRef": {"name": TOKEN_SECRET, "key": TOKEN}}}],
            "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
            "startupProbe": probe("/healthz", periodSeconds=1, failureThreshold=180),
            "readinessProbe": probe("/readyz", periodSeconds=3, failureThreshold=2),
            "livenessProbe": probe("/healthz", periodSeconds=20, failureThreshold=3),
            "lifecycle": {"preStop": {"exec": {"command": ["sleep", str(DRAIN_S)]}}},
            "resources": {"requests": {"cpu": "250m", "memory": "256Mi"}, "limits": {"memory": "1Gi"}},
            "volumeMounts": mounts,
        }

    def _container(self, name: str, command: list[str]) -> Json:
        return {
            "name": name,
            "image": self.image,
            "imagePullPolicy": "IfNotPresent",
            "command": command,
            # The last lines of the log tell why it ended, without the right to read logs.
            "terminationMessagePolicy": "FallbackToLogsOnError",
            "securityContext": WITHOUT_RIGHTS,
        }

    def _right(self) -> list[Json]:
        group, _, plural, name = self.path.split("/")
        rule = {"apiGroups": [group], "resources": [plural], "resourceNames": [name], "verbs": ["delete"]}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": self.object_name}
        subject = {"kind": "ServiceAccount", "name": self.object_name, "namespace": self.namespace}
        return [
            self._object("rbac.authorization.k8s.io/v1", "Role", rules=[rule]),
            self._object("rbac.authorization.k8s.io/v1", "RoleBinding", roleRef=role, subjects=[subject]),
        ]

    def _network(self) -> Json:
        """Asked from namespaces and pods that are labelled for it; asks the store, names, and the API server."""
        clients = [
            {"namespaceSelector": {"matchLabels": {"kuberacer.io/serve": "true"}}},
            {"podSelector": {"matchLabels": {"kuberacer.io/serve": "true"}}},
        ]
        tcp = [{"protocol": "TCP", "port": port} for port in (443, 6443)]
        names = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
        store = {"matchLabels": {"app.kubernetes.io/name": "kuberacer-store"}}
        spec = {
            "podSelector": {"matchLabels": self.selector},
            "policyTypes": ["Ingress", "Egress"],
            "ingress": [{"from": clients, "ports": [{"protocol": "TCP", "port": PORT}]}],
            "egress": [
                {"ports": names},
                {"to": [{"namespaceSelector": {}, "podSelector": store}], "ports": [{"protocol": "TCP", "port": 8333}]},
                {"ports": tcp},
            ],
        }
        return self._object("networking.k8s.io/v1", "NetworkPolicy", spec=spec)

    def _object(self, version: str, kind: str, annotations: Json | None = None, **body: Any) -> Json:
        metadata: Json = {"name": self.object_name, "namespace": self.namespace, "labels": self.labels}
        if annotations:
            metadata["annotations"] = annotations
        return {"apiVersion": version, "kind": kind, "metadata": metadata, **body}


ACCOUNT_VOLUME: Json = {
    "name": "account",
    "projected": {
        "sources": [
            {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {
                "downwardAPI": {
                    "items": [
                        {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
                    ]
                }
            },
        ]
    },
}
