"""Rewards by HTTP, from real servers: those that answer, and those that do not."""

import http.server
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from kuberacer.errors import UserError
from kuberacer.formats.reward_document import RewardDocument
from kuberacer.reward.http_reward import HttpReward
from kuberacer.reward.samples import sample_states
from kuberacer.sim.track import load_track

TRACK = load_track("pebble")
VALUES = next(sample_states(TRACK, 2))
Answer = Callable[["Handler", dict], None]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((id(self), self.path, self.headers["KubeRacer-Session"], request))  # type: ignore[attr-defined]
        if "kuberacer_reward" in request:
            self.say(b'{"kuberacer_reward": 1, "keys": ["speed"]}')
        else:
            self.server.answer(self, request)  # type: ignore[attr-defined]

    def say(self, body: bytes, status: int = 200, **headers: str) -> None:
        self.send_response(status)
        for name, value in ({"Content-Length": str(len(body))} | headers).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


def good(handler: Handler, request: dict) -> None:
    handler.say(json.dumps({"rewards": [car["speed"] for car in request["params"]]}).encode())


@pytest.fixture
def server() -> Iterator[http.server.ThreadingHTTPServer]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        server.seen, server.answer = [], good  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def reward_of(server: http.server.HTTPServer, timeout_s: float = 5.0) -> HttpReward:
    address = f"http://127.0.0.1:{server.server_port}/f?key=1"
    return HttpReward(RewardDocument(name="mine.yaml", http=address, timeout_s=timeout_s), TRACK, 2, seed=7)


def test_one_connection_and_one_session(server) -> None:
    with reward_of(server) as reward:
        for values in (VALUES, VALUES):
            assert np.array_equal(reward(values), values.speed)
    connections, paths, sessions, requests = zip(*server.seen, strict=True)
    assert len(set(connections)) == 1
    assert set(paths) == {"/f?key=1"}
    assert len(set(sessions)) == 1
    assert (requests[0]["cars"], requests[0]["seed"], len(requests)) == (2, 7, 3)
    with reward_of(server):
        assert server.seen[-1][2] not in sessions


def test_answers_without_a_length(server) -> None:
    def chunked(handler: Handler, request: dict) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for part in (b'{"rewards"', b": [1, 2]}"):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(part), part))
        handler.wfile.write(b"0\r\n\r\n")

    def until_the_end(handler: Handler, request: dict) -> None:
        handler.wfile.write(b'HTTP/1.0 200 OK\r\n\r\n{"rewards": [3, 4]}')
        handler.close_connection = True

    with reward_of(server) as reward:
        for answer, expected in ((chunked, [1, 2]), (until_the_end, [3, 4]), (chunked, [1, 2])):
            server.answer = answer
            assert np.array_equal(reward(VALUES), expected)


def test_a_connection_that_was_closed_between_steps_is_opened_anew(server) -> None:
    def last(handler: Handler, request: dict) -> None:
        good(handler, request)
        handler.close_connection = True  # and does not say so

    with reward_of(server) as reward:
        server.answer = last
        assert np.array_equal(reward(VALUES), VALUES.speed)
        time.sleep(0.1)
        assert np.array_equal(reward(VALUES), VALUES.speed)
    assert len(server.seen) == 3


def slowly(handler: Handler, request: dict) -> None:
    """Each byte comes soon enough; the whole does not."""
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    for _ in range(40):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.05)


FAULTS: dict[str, tuple[Answer, str]] = {
    "500": (lambda h, r: h.say(b"Traceback: no map\n", 500), "it answers 500 Internal Server Error: Traceback: no map"),
    "404": (lambda h, r: h.say(b"", 404), "it answers 404 Not Found"),
    "elsewhere": (
        lambda h, r: h.say(b"", 307, Location="http://169.254.169.254/"),
        "it sends elsewhere, to http://169",
    ),
    "no rewards": (lambda h, r: h.say(b"{}"), "its answer has no rewards"),
    "no JSON": (lambda h, r: h.say(b"<html>"), "its answer is not JSON: <html>"),
    "NaN": (lambda h, r: h.say(b'{"rewards": [1, NaN]}'), "the reward is nan, not within ±100000, for car 1 at step"),
    "error": (lambda h, r: h.say(b'{"error": "no map"}'), "it says: no map, for car 0 at step"),
    "long": (lambda h, r: h.say(b" " * 10_000), "its answer is longer than 4,224 bytes"),
    "says that it is long": (lambda h, r: h.say(b" " * 5_000, Content_Length="99999999999"), "longer than 4,224"),
    "slow": (lambda h, r: time.sleep(0.6), "no answer within 0.3 s"),
    "slow by bytes": (slowly, "no answer within 0.3 s"),
    "closes": (lambda h, r: h.connection.shutdown(socket.SHUT_RDWR), "the server cannot be asked"),
    "no HTTP": (lambda h, r: h.wfile.write(b"hello\r\n") and h.connection.shutdown(2), "the server cannot be asked"),  # type: ignore[func-returns-value]
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault(fault: str, server) -> None:
    server.answer, words = FAULTS[fault]
    reward = reward_of(server, timeout_s=0.3)
    with pytest.raises(UserError) as found:
        reward(VALUES)
    assert found.value.cause.startswith(f"mine.yaml: http://127.0.0.1:{server.server_port}/f?key=1: ")
    assert words in found.value.cause
    assert "\n" not in found.value.cause + found.value.remedy
    assert len(server.seen) <= 3  # it is asked once more at most, and never elsewhere


def test_nobody_is_there() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{free.getsockname()[1]}/"
    with pytest.raises(UserError, match="the server cannot be asked: Connection refused, at the start"):
        HttpReward(RewardDocument(name="a", http=address), TRACK, 2)
    with pytest.raises(UserError, match="the server cannot be asked"):
        HttpReward(RewardDocument(name="a", http="http://no-such-host.invalid/"), TRACK, 2)


def test_https_is_verified(server) -> None:
    address = f"https://127.0.0.1:{server.server_port}/"
    with pytest.raises(UserError, match=r"the server cannot be asked: .*SSL"):
        HttpReward(RewardDocument(name="a", http=address), TRACK, 2)
