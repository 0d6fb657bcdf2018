"""Real servers of policies, in threads."""

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import uvicorn

from kuberacer.endpoint import Endpoint
from kuberacer.serve.start import server_of, warm_app
from tests import web_servers

NAME = "served"


class Client(web_servers.Client):
    def send(self, body: bytes, **headers: str) -> web_servers.Answer:
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
    with contextlib.ExitStack() as stack:

        def start(folder: Path, **keys: Any) -> Running:
            server = server_of(warm_app(folder, Endpoint(NAME, **keys)))
            port, thread = stack.enter_context(web_servers.in_thread(server))
            return Running(Client(port), server, thread)

        yield start
