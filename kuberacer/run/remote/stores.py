"""Object stores that pods use, reached from outside their cluster."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr

from kuberacer.errors import UserError
from kuberacer.run.remote.cluster import Cluster
from kuberacer.run.remote.forward import reachable
from kuberacer.run.remote.unpack import LIMIT_BYTES
from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore

STORE_SECRET = "kuberacer-store"
MOST_OBJECTS = 100_000


@contextlib.contextmanager
def runs_store(cluster: Cluster, namespace: str) -> Iterator[ObjectStore]:
    """The store of checkpoints and inputs that the secret kuberacer-store of a namespace names."""
    values = cluster.secret(namespace, STORE_SECRET)
    if not values or not values.get("KUBERACER_S3_BUCKET"):
        raise UserError(
            f"the namespace {namespace} has no secret {STORE_SECRET} with KUBERACER_S3_BUCKET",
            "deploy it (make deploy), or make the secret with the keys of your store",
        )
    settings = StoreSettings.model_validate({name.lower(): value for name, value in values.items() if value})
    with outside(cluster, namespace, settings) as store:
        yield store


@contextlib.contextmanager
def outside(cluster: Cluster, namespace: str, settings: StoreSettings) -> Iterator[ObjectStore]:
    """A store whose endpoint may be a service of the cluster, seen from `namespace`."""
    with contextlib.ExitStack() as stack:
        found = _service(cluster, namespace, settings.kuberacer_s3_endpoint)
        if found:
            scheme, space, service, port = found
            host, port = stack.enter_context(reachable(cluster, space, service, port))
            settings = settings.model_copy(update={"kuberacer_s3_endpoint": f"{scheme}://{host}:{port}"})
        yield ObjectStore(settings)


def _service(cluster: Cluster, namespace: str, endpoint: str | None) -> tuple[str, str, str, int] | None:
    """(scheme, namespace, service, port) of an endpoint inside the cluster; None for one of the world's."""
    if endpoint is None:
        return None
    parts = urlsplit(endpoint)
    labels = (parts.hostname or "").split(".")
    inside = len(labels) <= 2 or labels[2:] in (["svc"], ["svc", "cluster", "local"])
    if not inside or parts.hostname == "localhost":
        return None
    service, space = labels[0], labels[1] if len(labels) > 1 else namespace
    if len(labels) <= 2 and cluster.find(f"/api/v1/namespaces/{space}/services/{service}") is None:
        return None  # a name of the user's own network
    return parts.scheme, space, service, parts.port or (443 if parts.scheme == "https" else 80)


def credentials(
    cluster: Cluster, namespace: str, key: tuple[str, str], secret: tuple[str, str]
) -> dict[str, SecretStr]:
    """Settings from two (secret's name, key in it)."""
    found = {}
    for setting, (name, entry) in (("aws_access_key_id", key), ("aws_secret_access_key", secret)):
        values = cluster.secret(namespace, name) or {}
        if entry not in values:
            raise UserError(f"the namespace {namespace} has no secret {name} with {entry}", "deploy it (make deploy)")
        found[setting] = SecretStr(values[entry])
    return found


def get_tree(store: ObjectStore, key: str, place: Path) -> bool:
    """The object `key`, or all objects below `key/`, into a file or folder; False when there are none."""
    if store.exists(key):
        store.get_file(key, place)
        return True
    total = 0
    keys = [name for name in store.list(f"{key.rstrip('/')}/") if not name.endswith("/")]
    if len(keys) > MOST_OBJECTS:
        raise UserError(f"{store.address(key)} holds {len(keys)} objects", f"at most {MOST_OBJECTS} are taken")
    for name in keys:
        total += store.size(name) or 0
        if total > LIMIT_BYTES:
            raise UserError(f"{store.address(key)} is larger than {LIMIT_BYTES >> 30} GiB", "see what the step wrote")
        store.get_file(name, _below(place, name[len(key.rstrip("/")) + 1 :], store.address(name)))
    return bool(keys)


def _below(folder: Path, name: str, address: str) -> Path:
    """A key's place; keys may hold anything, also ways out of the folder."""
    parts = name.split("/")
    if any(part in ("", ".", "..") or "\0" in part for part in parts):
        raise UserError(f"{address} is no name for a file", "remove the object")
    return folder.joinpath(*parts)
