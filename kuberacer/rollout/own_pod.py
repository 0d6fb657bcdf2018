"""The pod that this process runs in: who it is, and so what may be created in its name."""

import os
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError

NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


def in_cluster() -> bool:
    """True in a pod that was given a service account's token."""
    return "KUBERNETES_SERVICE_HOST" in os.environ and NAMESPACE.exists()


def own_namespace() -> str:
    return NAMESPACE.read_text(encoding="ascii").strip()


@dataclass(frozen=True)
class OwnPod:
    name: str
    namespace: str
    uid: str
    address: str  # IP

    @classmethod
    def find(cls, core: Any) -> "OwnPod":
        """core: kubernetes' CoreV1Api. Raises UserError when the service account may not read its pod."""
        from kubernetes.client import ApiException  # not at the top: slow, and no laptop needs it

        name, namespace = socket.gethostname(), own_namespace()
        try:
            pod = core.read_namespaced_pod(name, namespace)
        except ApiException as error:
            raise UserError(
                f"pod {namespace}/{name} cannot be read: {error.reason}",
                "give the step's service account the Role kuberacer-pipeline of manifests/base",
            ) from None
        return cls(name, namespace, pod.metadata.uid, pod.status.pod_ip)

    def owner(self) -> list[dict[str, Any]]:
        """ownerReferences: what has them goes when this pod goes."""
        return [{"apiVersion": "v1", "kind": "Pod", "name": self.name, "uid": self.uid}]
