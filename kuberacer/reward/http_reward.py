"""A reward that a server computes: the lines of wire.py as the bodies of HTTP POSTs over one connection."""

import contextlib
import http.client
import io
import secrets
import socket
import ssl
import time
from typing import Any, Self, cast
from urllib.parse import urlsplit

import numpy as np

from kuberacer.errors import UserError
from kuberacer.formats.reward_document import RewardDocument
from kuberacer.reward import wire
from kuberacer.reward.output import one_line
from kuberacer.reward.runner import RoadFacts, situation
from kuberacer.sim.params import ParamArrays

CONNECT_S = 10.0
SESSION = "KubeRacer-Session"


class HttpReward:
    """`reward(values)` -> rewards (cars,) float64, finite and within ±1e5. Close it, or use it as a context manager.

    One connection that is kept open. One that the server has closed between two steps is opened anew; nothing else is
    tried twice. Every request has the same KubeRacer-Session header: a server that remembers things tells one batch of
    cars from another by it. No proxy, no redirect, no cookie. Faults are UserErrors with cause.
    """

    why_plain = ""
    limits = ("time", "answer's size")

    def __init__(self, document: RewardDocument, track: RoadFacts, cars: int, *, objects: int = 0, seed: int = 0):
        """objects: how many each car meets. Raises UserError."""
        self.document, self.path = document, document.language
        address = urlsplit(document.http)
        self._target = (address.path or "/") + (f"?{address.query}" if address.query else "")
        self._headers = {
            "Content-Type": "application/json", "Accept": "application/json", "Accept-Encoding": "identity",
            SESSION: secrets.token_hex(8),
        }  # fmt: skip
        self._most = wire.most_answer(cars)
        self._connection = _connection(address.scheme, cast(str, address.hostname), address.port)
        try:
            self.keys = wire.read_hello(self._post(wire.hello(track, cars, objects, seed), CONNECT_S))
        except wire.WireFault as fault:
            raise self._failed(fault, "at the start") from None
        except BaseException:
            self.close()
            raise

    def __call__(self, values: ParamArrays) -> np.ndarray:
        try:
            return wire.read_rewards(self._post(wire.step(values, self.keys), self.document.timeout_s), values)
        except wire.WireFault as fault:
            raise self._failed(fault, f"for {situation(values, fault.car or 0)}") from None

    def close(self) -> None:
        """Close the connection; harmless when it is closed."""
        self._connection.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _failed(self, fault: wire.WireFault, where: str) -> UserError:
        self.close()
        return UserError(one_line(f"{self.document.name}: {self.document.http}: {fault}, {where}"), fault.remedy)

    def _post(self, body: bytes, seconds: float) -> bytes:
        """The answer's body. Raises WireFault."""
        deadline = time.monotonic() + seconds
        was_open = self._connection.sock is not None
        try:
            return self._ask(body, deadline)
        except (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError) as error:
            self._connection.close()
            if was_open:  # it has closed an idle connection, as servers do
                return self._retried(body, deadline)
            raise self._away(error) from None
        except TimeoutError:
            remedy = "make the server faster, or give it more time: timeout_s"
            raise wire.WireFault(f"no answer within {seconds:g} s", remedy) from None
        except (OSError, http.client.HTTPException) as error:
            raise self._away(error) from None

    def _retried(self, body: bytes, deadline: float) -> bytes:
        try:
            return self._ask(body, deadline)
        except (OSError, http.client.HTTPException) as error:
            raise self._away(error) from None

    def _away(self, error: Exception) -> wire.WireFault:
        text = getattr(error, "strerror", None) or str(error) or type(error).__name__
        remedy = "start the server, see that this machine (on a cluster: the pods) can reach it"
        return wire.WireFault(f"the server cannot be asked: {text}", remedy)

    def _ask(self, body: bytes, deadline: float) -> bytes:
        connection = self._connection
        connection.timeout = max(0.001, deadline - time.monotonic())
        if connection.sock is None:
            connection.connect()
            connection.sock = cast(Any, _Timed(cast(socket.socket, connection.sock)))
        cast(_Timed, connection.sock).deadline = deadline
        connection.request("POST", self._target, body, self._headers)
        response = connection.getresponse()
        data = response.read(self._most + 1)
        if response.status != 200:
            raise self._refused(response, data)
        if len(data) > self._most:
            raise wire.WireFault(f"its answer is longer than {self._most:,} bytes", "answer with the rewards alone")
        response.close()
        return data

    def _refused(self, response: http.client.HTTPResponse, data: bytes) -> wire.WireFault:
        if 300 <= response.status < 400:
            elsewhere = response.headers.get("Location", "?")
            return wire.WireFault(f"it sends elsewhere, to {elsewhere[:200]}", "name the final address in `http`")
        said = " ".join(data[:300].decode(errors="replace").split())
        return wire.WireFault(f"it answers {response.status} {response.reason}: {said}", "see the server's log")


def _connection(scheme: str, host: str, port: int | None) -> http.client.HTTPConnection:
    if scheme == "https":
        return http.client.HTTPSConnection(host, port, context=ssl.create_default_context())
    return http.client.HTTPConnection(host, port)


class _Timed:
    """A connected socket that keeps one deadline over all that is sent and received: a timeout of a socket's own begins
    anew with each byte."""

    def __init__(self, sock: socket.socket):
        self.sock = sock
        self.deadline = 0.0

    def sendall(self, data: Any) -> None:
        self.arm()
        self.sock.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self, self.sock.makefile("rb", buffering=0)))

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.close()

    def arm(self) -> None:
        """What is done next with the socket ends by the deadline."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self.sock.settimeout(left)


class _TimedReader(io.RawIOBase):
    def __init__(self, timed: _Timed, raw: Any):
        self._timed, self._raw = timed, raw

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._timed.arm()
        return int(self._raw.readinto(buffer))

    def close(self) -> None:
        self._raw.close()
        super().close()
