"""Real servers of policies, in threads."""

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

from kuberacer.endpoint import Endpoint
from kuberacer.serve.start import server_of, warm_app

NAME = "served"


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    def __init__(self, port: int):
        self.port = port

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        with contextlib.closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)) as connection:
            connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
            answer = connection.getresponse()
            return Answer(answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read())

    def send(self, body: bytes, **headers: str) -> Answer:
        return self.ask(f"/v1/models/{NAME}:predict", "POST", body, **{"content_type": "application/json", **headers})

    def predict(self, *instances: Any) -> list[dict[str, Any]]:
        answer = self.send(json.dumps({"instances": instances}).encode())
        assert answer.status == 200, answer.body
        return answer.json()["predictions"]

    def metric(self, name: str, **headers: str) -> float:
        """The sum of a metric's numbers over its labels."""
        lines = self.ask("/metrics", **headers).body.decode().splitlines()
        return sum(float(line.rpartition(" ")[2]) for line in lines if line.partition("{")[0].split(" ")[0] == name)


class Running(NamedTuple):
    client: Client
    server: uvicorn.Server
    thread: threading.Thread


Serve = Callable[..., Running]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """serve(folder, **of the Endpoint) -> a server of the model in the folder."""
    running: list[Running] = []

    def start(folder: Path, **keys: Any) -> Running:
        listener = socket.create_server(("127.0.0.1", 0))
        server = server_of(warm_app(folder, Endpoint(NAME, **keys)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        running.append(Running(Client(listener.getsockname()[1]), server, thread))
        until = time.monotonic() + 60
        while not server.started and time.monotonic() < until:
            time.sleep(0.01)
        return running[-1]

    yield start
    for each in running:
        each.server.should_exit = True
        each.thread.join(30)
