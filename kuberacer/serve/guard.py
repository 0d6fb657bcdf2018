"""Who may ask: before anything else sees a request. Each request is told of in the log, in one line of JSON."""

import json
import secrets
import sys
import time
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kuberacer.listen import bearer, names_loopback, same

OPEN = ("/healthz", "/readyz")  # without a token; not in the log when all is well
HEADERS = ((b"x-content-type-options", b"nosniff"), (b"cache-control", b"no-store"))


class Guard:
    """With a token it is wanted of everybody; without one the server answers to the loopback's names only."""

    def __init__(self, app: ASGIApp, token: str = ""):
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, Told(scope, send))

    async def _answer(self, scope: Scope, receive: Receive, told: "Told") -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        try:
            if scope["path"] in OPEN:
                await self.app(scope, receive, told.send)
            elif not self.token and not names_loopback(headers.get("host", "")):
                await refuse(told.send, 403, "this server is for its own machine: ask it as http://127.0.0.1:<port>")
            elif self.token and not same(bearer(headers.get("authorization", "")), self.token):
                await refuse(told.send, 401, "a token is wanted, as Authorization: Bearer …")
            else:
                await self.app(scope, receive, told.send)
        finally:
            told.line()


class Told:
    """Sends an answer on, and writes its line. What handlers know of a request is in scope["state"]."""

    def __init__(self, scope: Scope, send: Send):
        self._scope, self._send = scope, send
        self._began, self._status = time.perf_counter(), 0
        self._id = secrets.token_hex(8)

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            own = (*HEADERS, (b"x-request-id", self._id.encode()))
            message = {**message, "headers": [*message["headers"], *own]}
        await self._send(message)

    def line(self) -> None:
        if self._status < 400 and self._scope["path"] in (*OPEN, "/metrics"):
            return
        client = self._scope.get("client")
        told = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "request": self._id,
            "client": client[0] if client else None,
            "method": self._scope["method"],
            "path": self._scope["path"][:200],
            "status": self._status,
            "ms": round((time.perf_counter() - self._began) * 1e3, 2),
            **self._scope.get("state", {}).get("told", {}),
        }
        sys.stdout.write(json.dumps(told) + "\n")
        sys.stdout.flush()


async def refuse(send: Send, status: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
