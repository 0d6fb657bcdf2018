"""A real S3 server, a real folder of runs, and the real web server over both."""

import contextlib
import http.client
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from kuberacer.watch.app import make_app
from kuberacer.watch.runs import Runs
from tests import web_servers
from tests.seaweed import settings, store  # noqa: F401


class Client(web_servers.Client):
    @contextlib.contextmanager
    def events(self, run: str, **headers: str) -> Iterator[Iterator[dict[str, Any]]]:
        """The events of a run, '' for those of the list, as {event, data, id}, while the context is open."""
        with self.connection() as connection:
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
    with contextlib.ExitStack() as stack:

        def start(source: Runs, token: str = "") -> Client:
            app = make_app(source, token)
            config = uvicorn.Config(app, log_level="warning", ws="none", timeout_graceful_shutdown=1)
            return Client(stack.enter_context(web_servers.in_thread(uvicorn.Server(config)))[0])

        yield start


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"
