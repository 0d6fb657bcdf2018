"""A real S3 server, a real folder of runs, and the real web server over both."""

import contextlib
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn

from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore
from kuberacer.store.server import SeaweedServer
from kuberacer.watch.app import make_app
from kuberacer.watch.runs import Runs


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks one server, as a browser or a stranger would."""

    def __init__(self, port: int):
        self.port = port

    def ask(self, path: str, method: str = "GET", **headers: str) -> Answer:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.putrequest(method, path, skip_host="host" in headers)
            for name, value in headers.items():
                connection.putheader(name.replace("_", "-"), value)
            connection.endheaders()
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    @contextlib.contextmanager
    def events(self, run: str, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
        """The events of a run, '' for those of the list, as {event, data, id}, while the context is open."""
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request("GET", f"/api/runs/{run}/events" if run else "/api/events", headers=named)
            answer = connection.getresponse()
            assert answer.status == 200, answer.read()
            yield parsed(answer)


def parsed(answer: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    found: dict[str, Any] = {}
    while line := answer.readline().decode():
        name, _, value = line.rstrip("\n").partition(": ")
        if name == "data":
            found["data"] = json.loads(value)
        elif name in ("event", "id"):
            found[name] = value
        elif not line.strip() and "event" in found:
            yield found
            found = {}


@pytest.fixture
def serve() -> Iterator[Callable[..., Client]]:
    """serve(source, token="") -> Client of a server over the source."""
    running = []

    def start(source: Runs, token: str = "") -> Client:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(make_app(source, token), log_level="warning", ws="none", timeout_graceful_shutdown=1)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append((server, thread))
        until = time.monotonic() + 60
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        return Client(listener.getsockname()[1])

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    with SeaweedServer(tmp_path_factory.mktemp("seaweed")) as server:
        assert server.settings is not None
        yield server.settings


@pytest.fixture
def store(settings: StoreSettings) -> ObjectStore:
    """The server's bucket, empty."""
    store = ObjectStore(settings)
    store.delete_all(list(store.list()))
    return store


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
