"""Who may ask, and how: before anything else sees a request."""

import json
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qsl, urlencode

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from kuberacer.listen import bearer, names_loopback, same

COOKIE = "kuberacer-token"
# Nothing from anywhere else, and nobody else's page around ours.
PAGES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self'; "
    "connect-src 'self'; font-src 'self'; frame-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
# A run's own files may hold what somebody else wrote: no scripts, no requests, no origin.
FILES = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; media-src data: 'self'; font-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
)
HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-cache",
}


class Guard:
    """GET and HEAD only; without a token the names of the loopback only, so that no page elsewhere can reach this
    server by a name of its own (DNS rebinding); with one, it or its cookie."""

    def __init__(self, app: ASGIApp, token: str = ""):
        self.app, self.token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        if scope["type"] != "http":
            return  # no websockets
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        if scope["method"] not in ("GET", "HEAD"):
            await refuse(send, 405, "this server reads only", "ask with GET", {"allow": "GET, HEAD"})
        elif not self.token and not names_loopback(headers.get("host", "")):
            await refuse(send, 403, "this server is for its own machine", "open it as http://127.0.0.1:<port>")
        elif not self.token or self._knows(headers) or scope["path"] == "/healthz":
            await self.app(scope, receive, with_headers(send))
        elif self._given(scope):
            await self._let_in(scope, send)
        else:
            await refuse(
                send, 401, "a token is wanted", "open the address with ?token=… that the server printed",
                {"www-authenticate": "Bearer"},
            )  # fmt: skip

    def _knows(self, headers: dict[str, str]) -> bool:
        if same(bearer(headers.get("authorization", "")), self.token):
            return True
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        return COOKIE in cookies and same(cookies[COOKIE].value, self.token)

    def _given(self, scope: Scope) -> bool:
        query = dict(parse_qsl(scope["query_string"].decode("latin-1")))
        return same(query.get("token", ""), self.token)

    async def _let_in(self, scope: Scope, send: Send) -> None:
        """To the same place without the token in its address, which would stay in histories and logs."""
        query = [(n, v) for n, v in parse_qsl(scope["query_string"].decode("latin-1")) if n != "token"]
        raw = scope.get("raw_path") or scope["path"].encode()
        place = "/" + raw.decode("latin-1").lstrip("/") + ("?" + urlencode(query) if query else "")
        cookie = f"{COOKIE}={self.token}; HttpOnly; SameSite=Strict; Path=/"
        await answer(send, 303, b"", {"location": place, "set-cookie": cookie, "cache-control": "no-store"})


def with_headers(send: Send) -> Send:
    """Every answer gets HEADERS and a policy, unless it has one of its own."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message["headers"]}
            wanted = {**HEADERS, "content-security-policy": PAGES}
            more = [(n.encode(), v.encode()) for n, v in wanted.items() if n.encode() not in there]
            message = {**message, "headers": [*message["headers"], *more]}
        await send(message)

    return wrapped


async def refuse(send: Send, status: int, cause: str, remedy: str, headers: dict[str, str] | None = None) -> None:
    body = json.dumps({"error": {"cause": cause, "remedy": remedy}}).encode()
    await answer(send, status, body, {"content-type": "application/json", **(headers or {})})


async def answer(send: Send, status: int, body: bytes, headers: dict[str, str]) -> None:
    listed = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    listed.append((b"content-length", str(len(body)).encode()))
    send = with_headers(send)
    await send({"type": "http.response.start", "status": status, "headers": listed})
    await send({"type": "http.response.body", "body": body})
