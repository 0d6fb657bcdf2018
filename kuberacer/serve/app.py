"""The application: what answers which address. docs/serving.md has the interface."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import numpy as np
from fastapi import FastAPI, Request
from fastapi.responses import Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from kuberacer import __version__
from kuberacer.endpoint import Endpoint
from kuberacer.serve import metrics, openapi
from kuberacer.serve.batcher import Batcher, FullError, LateError
from kuberacer.serve.guard import Guard
from kuberacer.serve.network import Network, NetworkError
from kuberacer.serve.observations import RequestError, Requests

MOST_UNREAD = 64 << 20  # bytes of all bodies that are being read at a moment
BODY_S = 10.0  # until a body is there
RETRY = {"retry-after": "1"}


class Refused(Exception):
    """A predict request that is not answered. reason: for the metrics; more: of the answer's JSON."""

    def __init__(self, status: int, reason: str, error: str, **more: Any):
        super().__init__(error)
        self.status, self.reason, self.body = status, reason, {"error": error, **more}


def make_app(endpoint: Endpoint, network: Network, beside: Callable[[], Awaitable[None]] | None = None) -> ASGIApp:
    """network: warm already. beside: runs as long as the application."""
    server = Server(endpoint, network)

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with server.batcher, running(beside):
            server.ready = True
            yield
            server.ready = False

    # No pages of documentation: they would be fetched from elsewhere.
    app = FastAPI(
        title="KubeRacer model server",
        version=__version__,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.add_exception_handler(Refused, explain)
    app.add_exception_handler(HTTPException, no_such_thing)
    add_model(app, server)
    add_health(app, server)
    openapi.describe(app, endpoint.name, network.policy, server.requests)
    metrics.describe(endpoint.name, network.policy, endpoint.digest, endpoint.expires_at)
    return Guard(app, endpoint.token)


class Server:
    def __init__(self, endpoint: Endpoint, network: Network):
        self.endpoint, self.network, self.policy = endpoint, network, network.policy
        self.requests = Requests(network.policy)
        self.batcher = Batcher(network.ask, metrics.batch, patience_s=endpoint.patience_s)
        self.ready = False
        self._unread = 0  # bytes

    @property
    def expired(self) -> bool:
        return self.endpoint.expires_at is not None and time.time() >= self.endpoint.expires_at

    async def predict(self, request: Request) -> Response:
        if self.expired:
            raise Refused(410, "expired", "this endpoint has expired and is being removed: deploy the run again")
        body = await self._body(request)
        try:
            instances = self.requests.read(body)
            del body
            if any(sensor.pictures for sensor in self.requests.sensors):
                observations = await asyncio.to_thread(self.requests.arrays, instances)
            else:
                observations = self.requests.arrays(instances)
        except RequestError as error:
            raise Refused(422, "invalid", error.cause, expected=self.policy.expected()) from None
        request.state.told = {"instances": len(instances)}
        outputs = await self._outputs(observations)
        metrics.INSTANCES.inc(len(outputs))
        return answer({"predictions": self.policy.predictions(outputs)})

    async def _outputs(self, observations: list[np.ndarray]) -> np.ndarray:
        try:
            outputs = await self.batcher.predict(observations)
        except FullError:
            raise Refused(503, "full", "too many requests are waiting: try again in a moment") from None
        except LateError:
            raise Refused(504, "late", f"no answer within {self.endpoint.patience_s:g} s") from None
        except NetworkError as error:
            raise Refused(500, "network", f"the network does not answer: {error}") from None
        if not np.isfinite(outputs).all():
            raise Refused(500, "network", "the network's answer is not finite")
        return outputs

    async def _body(self, request: Request) -> bytes:
        """Raises Refused for one that is too large, too slow, of another type, or one too many at once."""
        if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
            raise Refused(415, "type", "send JSON, with the header Content-Type: application/json")
        most = self.requests.most_body
        too_large = Refused(413, "too large", f"the body has more than {most:,} bytes")
        length = request.headers.get("content-length", "0")
        if length.isdigit() and int(length) > most:
            raise too_large
        if self._unread + most > MOST_UNREAD:
            raise Refused(503, "full", "too many requests at once: try again in a moment")
        self._unread += most
        try:
            body = bytearray()
            async with asyncio.timeout(BODY_S):
                async for part in request.stream():
                    body += part
                    if len(body) > most:
                        raise too_large
            return bytes(body)
        except TimeoutError:
            raise Refused(408, "slow", f"the body did not come within {BODY_S:g} s") from None
        except ClientDisconnect:
            raise Refused(499, "gone", "the client has gone") from None
        finally:
            self._unread -= most


def add_model(app: FastAPI, server: Server) -> None:
    name, policy = server.endpoint.name, server.policy

    async def predict(request: Request) -> Response:
        """What the policy does for each observation."""
        began, status = time.perf_counter(), "500"
        try:
            response = await server.predict(request)
            status = str(response.status_code)
            return response
        except Refused as error:
            status = str(error.status)
            metrics.REFUSED.labels(error.reason).inc()
            raise
        finally:
            metrics.REQUESTS.labels(status).inc()
            metrics.SECONDS.observe(time.perf_counter() - began)

    # Starlette's way: FastAPI's, which has nothing to resolve here, takes a fifth more of a request's time.
    app.router.add_route(f"/v1/models/{name}:predict", predict, methods=["POST"])

    @app.get("/v1/models", operation_id="list_models")
    async def models() -> Response:
        """The names of the models: one."""
        return answer({"models": [name]})

    @app.get(f"/v1/models/{name}", operation_id="model")
    async def model() -> Response:
        """Whether it is ready, what it sees, and what it can do."""
        return answer(
            {
                "name": name, "ready": server.ready and not server.expired, "run": policy.run,
                "environment": policy.environment, "framework": policy.framework, "algorithm": policy.algorithm,
                "digest": server.endpoint.digest, "expires_at": server.endpoint.expires_at,
                "observation": policy.expected(), "action": policy.action.model_dump(exclude_none=True),
            }
        )  # fmt: skip


def add_health(app: FastAPI, server: Server) -> None:
    @app.get("/healthz", operation_id="health")
    async def health() -> Response:
        """200 while the server runs."""
        return answer({"ok": True})

    @app.get("/readyz", operation_id="ready")
    async def ready() -> Response:
        """200 when predictions are answered: the network has agreed with the examples of policy.json."""
        if server.expired:
            return answer({"ready": False, "cause": "this endpoint has expired"}, 503)
        return answer({"ready": server.ready}, 200 if server.ready else 503)

    @app.get("/metrics", operation_id="metrics")
    def tell_metrics() -> Response:
        """Counters and histograms for Prometheus."""
        return Response(metrics.text(), media_type=metrics.CONTENT_TYPE)


@contextlib.asynccontextmanager
async def running(beside: Callable[[], Awaitable[None]] | None) -> AsyncIterator[None]:
    if beside is None:
        yield
        return
    task = asyncio.ensure_future(beside())
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def answer(found: Any, status: int = 200) -> Response:
    return Response(json.dumps(found, allow_nan=False), status, media_type="application/json")


async def explain(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    response = answer(error.body, error.status)
    if error.status == 503:
        response.headers.update(RETRY)
    if error.status in (408, 413):  # what is left of the body is not read
        response.headers["connection"] = "close"
    return response


async def no_such_thing(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    words = {404: "there is nothing here: see /v1/models and /openapi.json", 405: "not with this method"}
    return Response(
        json.dumps({"error": words.get(error.status_code, error.detail)}), error.status_code, error.headers,
        "application/json",
    )  # fmt: skip
