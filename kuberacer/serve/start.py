"""From a model's folder to a server that is warm."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp

from kuberacer.endpoint import Endpoint
from kuberacer.errors import UserError
from kuberacer.formats.policy import digest
from kuberacer.serve.app import make_app
from kuberacer.serve.network import Network
from kuberacer.serve.observations import Requests


def warm_app(model: Path, endpoint: Endpoint, beside: Callable[[], Awaitable[None]] | None = None) -> ASGIApp:
    """Raises UserError when the model is not the one that was deployed, does not load, or does not agree with its
    examples."""
    began = time.perf_counter()
    network = Network.read(model)
    found = digest(model)
    if endpoint.digest not in ("", found):
        raise UserError(f"the model in {model} is {found}, {endpoint.digest} was deployed", "deploy the run again")
    examples = network.warm_up(Requests(network.policy))
    print(
        f"{endpoint.name}: {network.policy.environment}, {network.policy.algorithm}: warm after "
        f"{time.perf_counter() - began:.2f} s, {examples} examples agree",
        flush=True,
    )
    return make_app(replace(endpoint, digest=found), network, beside)


def server_of(app: ASGIApp) -> uvicorn.Server:
    """Ends when it is asked to (SIGTERM): what is being answered is answered first."""
    config = uvicorn.Config(
        app, log_level="warning", access_log=False, server_header=False, proxy_headers=False, lifespan="on", ws="none",
        timeout_graceful_shutdown=20, limit_concurrency=500, timeout_keep_alive=30,
    )  # fmt: skip
    return uvicorn.Server(config)
