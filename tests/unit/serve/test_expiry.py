"""What a pod asks the API server for when its endpoint has expired: over TLS, with its own account's token."""

import http.server
import json
import ssl
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kuberacer.serve import expiry


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[list]:
    """An API server that notes what it is asked, [method, path, token, body], and answers what `status` says."""
    asked: list = []

    class Handler(http.server.BaseHTTPRequestHandler):
        status = 200

        def do_DELETE(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            asked.append(["DELETE", self.path, self.headers["authorization"], body["propagationPolicy"]])
            self.send_response(Handler.status)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments: object) -> None:
            pass

    account = tmp_path / "account"
    account.mkdir()
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=127.0.0.1", "-addext",
         "subjectAltName=IP:127.0.0.1", "-keyout", account / "key", "-out", account / "ca.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    (account / "token").write_text("the-token\n")
    (account / "namespace").write_text("team")
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(account / "ca.crt", account / "key")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(expiry, "ACCOUNT", account)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", str(server.server_port))
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")  # a company's: the API server is not behind it
    asked.append(Handler)
    yield asked
    server.shutdown()


def test_it_asks_for_the_deletion_of_the_one_object(api):
    assert expiry.delete("apps/v1/deployments/endpoint-car") == ""
    assert api[1:] == [
        ["DELETE", "/apis/apps/v1/namespaces/team/deployments/endpoint-car", "Bearer the-token", "Background"]
    ]


@pytest.mark.parametrize(("status", "said"), [(404, ""), (403, "answers 403"), (500, "answers 500")])
def test_what_went_wrong_is_told(api, status, said):
    api[0].status = status
    found = expiry.delete("apps/v1/deployments/endpoint-car")
    assert found == said if not said else said in found
    assert "the-token" not in found


def test_an_api_server_that_is_not_the_cluster_s_is_not_told_the_token(api, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "token").write_text("the-token")
    (other / "namespace").write_text("team")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x", "-keyout", other / "key", "-out",
         other / "ca.crt"],
        check=True, capture_output=True,
    )  # fmt: skip
    monkeypatch.setattr(expiry, "ACCOUNT", other)
    assert "cannot be asked" in expiry.delete("apps/v1/deployments/endpoint-car")
    assert api[1:] == []
