"""The registry's answers, from a real HTTP server: a digest, none, a token, a refusal."""

import base64
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.stages.registry import Registry, read_credentials

DIGEST = "sha256:" + "a" * 64


class Answers(BaseHTTPRequestHandler):
    """/v2/open/…: anybody; /v2/token/…: with a token of /token, which asks for a password; /v2/basic/…: with it."""

    def do_HEAD(self):
        given = self.headers.get("Authorization", "")
        port = self.server.server_address[1]
        if self.path.startswith("/v2/token/") and given != "Bearer t0ken":
            self.answer(
                401, {"WWW-Authenticate": f'Bearer realm="http://127.0.0.1:{port}/token",service="r",scope="s"'}
            )
        elif self.path.startswith("/v2/basic/") and not given.startswith("Basic "):
            self.answer(401, {"WWW-Authenticate": 'Basic realm="r"'})
        elif self.path.endswith("/manifests/there"):
            self.answer(200, {"Docker-Content-Digest": DIGEST})
        else:
            self.answer(404, {})

    def do_GET(self):
        known = self.headers.get("Authorization") == f"Basic {base64.b64encode(b'me:secret').decode()}"
        body = json.dumps({"token": "t0ken" if known and "service=r" in self.path else "other"}).encode()
        self.answer(200, {}, body)

    def answer(self, status, headers, body=b""):
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


@pytest.fixture(scope="module")
def host():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def credentials(host, tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {host: {"username": "me", "password": "secret"}}}))
    return path


@pytest.mark.parametrize("path", ["open", "token", "basic"])
def test_digest_of_an_image_that_is_there(host, credentials, path):
    registry = Registry.parse(f"http://{host}/{path}")
    assert registry.digest(registry.image("sim:there"), credentials) == DIGEST
    assert registry.digest(registry.image("sim:other"), credentials) is None


@pytest.mark.parametrize("path", ["token", "basic"])
def test_refusal_says_what_to_do(host, path):
    registry = Registry.parse(f"http://{host}/{path}")
    with pytest.raises(UserError, match="refuses: 401") as refused:
        registry.digest(registry.image("sim:there"))
    assert "kuberacer-registry" in refused.value.remedy


def test_registry_that_is_away():
    registry = Registry.parse("http://127.0.0.1:1")
    with pytest.raises(UserError, match="cannot be reached"):
        registry.digest(registry.image("sim:there"))


@pytest.mark.parametrize(
    ("text", "image", "plain"),
    [
        ("registry.example/team", "registry.example/team/sim:1", False),
        ("registry.example:5000", "registry.example:5000/sim:1", False),
        ("http://10.0.0.1:5000/a/b/", "10.0.0.1:5000/a/b/sim:1", True),
        ("localhost/x", "localhost/x/sim:1", False),
    ],
)
def test_names(text, image, plain):
    registry = Registry.parse(text)
    assert (registry.image("sim:1"), registry.plain) == (image, plain)


@pytest.mark.parametrize(
    "text",
    ["", "team", "ftp://registry.example", "registry.example/Team", "registry.example/a b", "registry.example/../x",
     "registry.example:5000/x;reboot", "--privileged", "http://", "registry.example/x@sha256:0"],
)  # fmt: skip
def test_what_is_no_registry(text):
    with pytest.raises(UserError, match="is not the name of a registry"):
        Registry.parse(text)


@given(st.text(max_size=40))
def test_any_text_is_taken_whole_or_refused(text):
    try:
        registry = Registry.parse(text)
    except UserError:
        return
    image = registry.image("sim:1")
    assert image.startswith(registry.host)
    assert not set(image) - set("abcdefghijklmnopqrstuvwxyz0123456789.-_:/")


def test_credentials_of_another_host_are_not_used(tmp_path):
    path = tmp_path / "config.json"
    path.write_text(json.dumps({"auths": {"registry.example": {"auth": "Zm9v"}}}))
    assert read_credentials(path, "registry.example") == "Zm9v"
    assert read_credentials(path, "other.example") is None
    assert read_credentials(tmp_path / "none", "registry.example") is None
