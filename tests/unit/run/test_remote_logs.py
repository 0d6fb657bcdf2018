"""A pod's log is followed through broken connections: every line once, in order, to the end."""

import json
import re
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.run.remote.cluster import Cluster
from kuberacer.run.remote.logs import PodLog, lines

LINES = [f"line {number}" for number in range(40)]
STAMPED = [f"2026-03-01T10:00:{number // 4:02d}.{number % 4}00000000Z {line}" for number, line in enumerate(LINES)]


class ApiServer(BaseHTTPRequestHandler):
    """Kubernetes' API of one pod, whose log's stream breaks in the middle of a line, several times."""

    protocol_version = "HTTP/1.1"
    breaks: ClassVar[list[int]] = [7, 7, 20, 31]  # after how many lines of the log; each request uses one up
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        place = urlsplit(self.path)
        if not place.path.endswith("/log"):
            state = "running" if self.breaks else "terminated"
            status = {"containerStatuses": [{"name": "main", "state": {state: {"exitCode": 0}}}]}
            self._answer(json.dumps({"metadata": {"name": "p"}, "status": status}).encode())
            return
        since = parse_qs(place.query).get("sinceTime", [""])[0]
        self.asked.append(since)
        wanted = [line for line in STAMPED if line[:19] >= since[:19]]
        if not self.breaks:
            self._answer("\n".join(wanted).encode())  # the last line has no end
            return
        until = self.breaks.pop(0)
        wanted = [line for line in wanted if STAMPED.index(line) < until]
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for text in [*(f"{line}\n" for line in wanted), STAMPED[until][:37]]:
            self.wfile.write(f"{len(text):x}\r\n{text}\r\n".encode())
        self.close_connection = True  # without the last chunk

    def _answer(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *of: object) -> None: ...


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Cluster]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), ApiServer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}],
        "users": [{"name": "u", "user": {}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
    }
    (tmp_path / "kubeconfig").write_text(json.dumps(config))
    monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(tmp_path / "kubeconfig"))
    monkeypatch.setattr("kuberacer.run.remote.logs.AGAIN_S", 0.01)
    yield Cluster()
    server.shutdown()
    server.server_close()


def test_every_line_arrives_once_though_the_stream_breaks(cluster: Cluster, tmp_path: Path) -> None:
    told: list[str] = []
    log = PodLog(cluster, "n", "p", tmp_path / "log", told.append)
    log.start()
    log.join(30)
    assert not log.is_alive()
    assert not ApiServer.breaks
    assert told == LINES
    assert (tmp_path / "log").read_text().splitlines() == LINES
    assert list(log.tail) == LINES
    assert all(re.fullmatch(r"2026-03-01T10:00:\d\dZ", since) for since in ApiServer.asked[1:]), ApiServer.asked


@given(st.lists(st.text(st.characters(exclude_characters="\n\r", codec="utf-8"), max_size=9)), st.integers(1, 5))
def test_lines_do_not_depend_on_how_the_stream_is_cut(texts: list[str], size: int) -> None:
    data = "".join(f"{text}\n" for text in texts).encode()
    assert list(lines(iter(data[at : at + size] for at in range(0, len(data), size)))) == texts
