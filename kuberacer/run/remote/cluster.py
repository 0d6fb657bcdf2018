"""The Kubernetes cluster that the kubeconfig names, as plain JSON, with errors that a person can act on."""

import base64
import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import urllib3
from kubernetes import client, config
from kubernetes.client.rest import ApiException

from kuberacer.errors import UserError

TIMEOUT_S = 20
PATIENCE_S = 300.0  # how long an API server may be away in the middle of a run
Json = dict[str, Any]


class NotThere(UserError):
    """The cluster has no such object."""


class Unreachable(UserError):
    """The API server does not answer, or none is named; it may again."""


class Cluster:
    """One API server. Objects are JSON as `kubectl get -o json` shows them."""

    def __init__(self) -> None:
        self.inside = False
        try:
            config.load_kube_config()
        except config.ConfigException as error:
            try:
                config.load_incluster_config()
                self.inside = True
            except config.ConfigException:
                raise Unreachable(
                    f"no Kubernetes cluster is configured: {error}",
                    "set KUBECONFIG to the kubeconfig of your cluster, or run here: BACKEND=local",
                ) from None
        configuration = client.Configuration.get_default_copy()
        configuration.retries = 2
        self.configuration = configuration
        self.api = client.ApiClient(configuration)

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> Json:
        """One request, with JSON both ways. Raises NotThere, Unreachable, or UserError with the server's words."""
        with self.open(method, path, body, **query) as answer:
            found: Json = json.loads(answer.data or b"{}")
            return found

    @contextlib.contextmanager
    def open(self, method: str, path: str, body: Any = None, **query: Any) -> Iterator[Any]:
        """The same with the raw answer, for logs that go on. timeout (seconds to wait for bytes) may be among query."""
        timeout = query.pop("timeout", TIMEOUT_S)
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        try:
            answer = self.api.call_api(
                path,
                method,
                query_params=[(name, value) for name, value in query.items() if value is not None],
                header_params={"Accept": "application/json, */*", "Content-Type": kind},
                body=body,
                auth_settings=["BearerToken"],
                _preload_content=False,
                _return_http_data_only=True,
                _request_timeout=(TIMEOUT_S, timeout),
            )
            try:
                yield answer
            finally:
                answer.release_conn()
        except ApiException as error:
            raise _explain(error, method, path) from error
        except (urllib3.exceptions.HTTPError, OSError) as error:
            raise Unreachable(
                f"the Kubernetes API server {self.configuration.host} does not answer: {_first_line(error)}",
                "see whether the cluster is up and KUBECONFIG names the right one",
            ) from error

    def get(self, path: str, **query: Any) -> Json:
        return self.call("GET", path, **query)

    def find(self, path: str, **query: Any) -> Json | None:
        """None when there is no such object."""
        try:
            return self.get(path, **query)
        except NotThere:
            return None

    def items(self, path: str, **query: Any) -> list[Json]:
        found: list[Json] = self.get(path, **query).get("items") or []
        return found

    def apply(self, collection: str, item: Json) -> Json:
        """Make an object, or replace the one that has its name."""
        name = item["metadata"]["name"]
        before = self.find(f"{collection}/{name}")
        if before is None:
            return self.call("POST", collection, item)
        item = {**item, "metadata": {**item["metadata"], "resourceVersion": before["metadata"]["resourceVersion"]}}
        return self.call("PUT", f"{collection}/{name}", item)

    def secret(self, namespace: str, name: str) -> Mapping[str, str] | None:
        """A secret's values by key; None when there is no such secret."""
        found = self.find(f"/api/v1/namespaces/{namespace}/secrets/{name}")
        if found is None:
            return None
        return {key: base64.b64decode(value).decode() for key, value in (found.get("data") or {}).items()}

    def patiently(self, work: Callable[[], Any], say: Callable[[str], None]) -> Any:
        """The result of `work`, which is repeated while the API server is away (for PATIENCE_S at most)."""
        until, told = time.monotonic() + PATIENCE_S, False
        while True:
            try:
                return work()
            except Unreachable as error:
                if time.monotonic() > until:
                    raise
                if not told:
                    say(f"{error.cause}; trying again")
                    told = True
                time.sleep(3)


def _explain(error: ApiException, method: str, path: str) -> UserError:
    words = str(error.reason)
    with contextlib.suppress(ValueError, TypeError, AttributeError):
        words = json.loads(error.body)["message"]
    if error.status == 404:
        return NotThere(f"the cluster has no {path}: {words}", "see whether everything is deployed (make deploy)")
    if error.status in (401, 403):
        return UserError(
            f"the cluster does not let you {method} {path}: {words}", "ask for the rights, or use another kubeconfig"
        )
    if error.status in (429, 500, 502, 503, 504):
        return Unreachable(f"the cluster cannot do {method} {path} now: {words}", "try again in a moment")
    return UserError(f"the cluster refuses {method} {path}: {words}", "see the message")


def _first_line(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0][:300]
