"""A service of the cluster at an address of this machine, however far away the cluster is."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from typing import Any

from kubernetes import client
from kubernetes.client.rest import ApiException
from kubernetes.stream import portforward

from kuberacer.errors import UserError
from kuberacer.run.remote.cluster import Cluster, Json

CONNECT_S = 3.0


@contextlib.contextmanager
def reachable(
    cluster: Cluster, namespace: str, service: str, port: int | str | None = None
) -> Iterator[tuple[str, int]]:
    """(host, port) at which a service answers while the context is open.

    port: number or name; None: the service's only one. A service with pods is reached through the API server; one
    that stands for something outside the cluster at its own address. Raises UserError when it cannot be reached.
    """
    found = cluster.get(f"/api/v1/namespaces/{namespace}/services/{service}")
    entry = _port(found, port)
    if cluster.inside:
        yield f"{service}.{namespace}.svc", entry["port"]
    elif found["spec"].get("selector"):
        with Forward(cluster, namespace, found["spec"]["selector"], entry) as forward:
            yield "127.0.0.1", forward.port
    else:
        yield _address(cluster, namespace, found, entry)


def _port(service: Json, wanted: int | str | None) -> Json:
    ports = service["spec"]["ports"]
    for entry in ports:
        if wanted in (None, entry["port"], entry.get("name")):
            return dict(entry)
    name = service["metadata"]["name"]
    raise UserError(f"the service {name} has no port {wanted}", f"it has {', '.join(str(e['port']) for e in ports)}")


def _address(cluster: Cluster, namespace: str, service: Json, entry: Json) -> tuple[str, int]:
    """Of a service without pods: its own address, or that of an endpoint, whichever can be reached from here."""
    name = service["metadata"]["name"]
    places = [(service["spec"].get("clusterIP", "None"), entry["port"])]
    slices = cluster.items(
        f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices",
        labelSelector=f"kubernetes.io/service-name={name}",
    )
    for each in slices:
        ports = [p["port"] for p in each.get("ports") or [] if p.get("name", "") == entry.get("name", "")]
        places += [(a, port) for e in each.get("endpoints") or [] for a in e["addresses"] for port in ports]
    for host, port in places:
        if host != "None" and answers(host, port):
            return host, port
    raise UserError(
        f"the service {namespace}/{name} cannot be reached from here: it has no pods to forward to",
        "run this on a machine from which " + ", ".join(f"{host}:{port}" for host, port in places) + " can be reached",
    )


def answers(host: str, port: int) -> bool:
    try:
        with socket.create_connection((host, port), CONNECT_S):
            return True
    except OSError:
        return False


class Forward:
    """Listens on a free port of 127.0.0.1; each connection goes to a pod that is ready at that moment."""

    def __init__(self, cluster: Cluster, namespace: str, selector: dict[str, str], entry: Json):
        self._cluster = cluster
        self._namespace = namespace
        self._selector = ",".join(f"{name}={value}" for name, value in selector.items())
        self._entry = entry
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> "Forward":
        self._pod()  # a service without a pod is told of here, not by a connection that breaks
        threading.Thread(target=self._listen, daemon=True).start()
        return self

    def __exit__(self, *error: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _pod(self) -> tuple[str, int]:
        """Name and port of a pod behind the service."""
        pods = self._cluster.items(f"/api/v1/namespaces/{self._namespace}/pods", labelSelector=self._selector)
        ready = [pod for pod in pods if _is_ready(pod)]
        if not ready:
            raise UserError(
                f"no pod of {self._namespace} with {self._selector} is ready ({len(pods)} there)",
                f"see `kubectl -n {self._namespace} get pods -l {self._selector}`",
            )
        return ready[0]["metadata"]["name"], _pod_port(ready[0], self._entry)

    def _listen(self) -> None:
        while True:
            try:
                ours, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(ours,), daemon=True).start()

    def _serve(self, ours: socket.socket) -> None:
        # A client of its own: portforward() swaps the client's request method while it connects.
        api = client.CoreV1Api(client.ApiClient(self._cluster.configuration))
        try:
            pod, port = self._pod()
            tunnel = portforward(api.connect_get_namespaced_pod_portforward, pod, self._namespace, ports=str(port))
        except (UserError, ApiException, OSError):
            ours.close()
            return
        with contextlib.closing(tunnel), ours, contextlib.suppress(OSError):
            _copy_both_ways(ours, tunnel.socket(port))


def _copy_both_ways(ours: socket.socket, theirs: Any) -> None:
    while True:
        ready, _, _ = select.select([ours, theirs], [], [])
        for source in ready:
            data = source.recv(1 << 18)
            if not data:
                return
            (theirs if source is ours else ours).sendall(data)


def _is_ready(pod: Json) -> bool:
    """One that is being deleted is ready until it has ended; a service asks it no more."""
    if pod["metadata"].get("deletionTimestamp"):
        return False
    conditions = pod.get("status", {}).get("conditions") or []
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def _pod_port(pod: Json, entry: Json) -> int:
    """The container's port behind a service's port; its target may be a name."""
    target = entry.get("targetPort", entry["port"])
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"]:
        for each in container.get("ports") or []:
            if each.get("name") == target:
                return int(each["containerPort"])
    raise UserError(f"the pod {pod['metadata']['name']} has no port {target}", "see the service and its pods")
