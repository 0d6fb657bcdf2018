"""Objects go in and come out; each way in which a store can fail has its own words."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from kuberacer.errors import UserError
from kuberacer.settings import StoreSettings
from kuberacer.store.client import NotFoundError, ObjectStore, split_address
from kuberacer.store.server import free_ports


def test_objects_go_in_and_come_out(store: ObjectStore, tmp_path: Path):
    data = bytes(range(256)) * 40_000  # more than one of the server's chunks
    (tmp_path / "in").write_bytes(data)
    store.put_file("x/file", tmp_path / "in")
    store.put_bytes("x/bytes", b"")
    store.put_bytes("y", b"1")
    store.get_file("x/file", tmp_path / "new" / "out")
    assert (tmp_path / "new" / "out").read_bytes() == data == store.get_bytes("x/file")
    assert store.get_bytes("x/bytes") == b""
    assert list(store.list("x/")) == ["x/bytes", "x/file"]
    assert store.exists("y")
    assert store.delete_prefix("x/") == 2
    assert list(store.list()) == ["y"]
    store.delete("y")
    store.delete("y")
    assert not store.exists("y")


def test_a_missing_object_is_named_and_leaves_no_file(store: ObjectStore, tmp_path: Path):
    with pytest.raises(NotFoundError, match="no object s3://kuberacer/none"):
        store.get_bytes("none")
    with pytest.raises(NotFoundError):
        store.get_file("none", tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_a_file_that_is_not_there_is_named(store: ObjectStore, tmp_path: Path):
    with pytest.raises(UserError, match="missing cannot be read"):
        store.put_file("key", tmp_path / "missing")


@pytest.mark.parametrize("operation", ["get", "put_bytes", "put_file", "list", "delete", "exists"])
def test_a_store_that_is_away_is_said_to_be(settings: StoreSettings, tmp_path: Path, operation: str):
    endpoint = f"http://127.0.0.1:{free_ports()['s3.port']}"
    store = ObjectStore(settings.model_copy(update={"kuberacer_s3_endpoint": endpoint}))
    (tmp_path / "file").write_bytes(b"1")
    calls = {
        "get": lambda: store.get_bytes("key"),
        "put_bytes": lambda: store.put_bytes("key", b""),
        "put_file": lambda: store.put_file("key", tmp_path / "file"),
        "list": lambda: list(store.list()),
        "delete": lambda: store.delete("key"),
        "exists": lambda: store.exists("key"),
    }
    with pytest.raises(UserError, match=f"{endpoint} cannot be reached") as caught:
        calls[operation]()
    assert "KUBERACER_S3_ENDPOINT" in caught.value.remedy


@pytest.mark.parametrize(
    "change", [{"aws_secret_access_key": SecretStr("x" * 20)}, {"aws_access_key_id": SecretStr("y")}]
)
def test_wrong_credentials_are_said_to_be(settings: StoreSettings, tmp_path: Path, change: dict[str, SecretStr]):
    store = ObjectStore(settings.model_copy(update=change))
    (tmp_path / "file").write_bytes(b"1")
    for call in (
        lambda: store.get_bytes("key"),
        lambda: store.put_file("key", tmp_path / "file"),
        lambda: store.exists("key"),
    ):
        with pytest.raises(UserError, match="denies"):
            call()


def test_a_missing_bucket_is_named(settings: StoreSettings):
    store = ObjectStore(settings.model_copy(update={"kuberacer_s3_bucket": "no-such-bucket"}))
    with pytest.raises(UserError, match="no bucket 'no-such-bucket'"):
        list(store.list())


def test_an_endpoint_that_is_no_address_is_said_to_be(settings: StoreSettings):
    with pytest.raises(UserError, match="KUBERACER_S3_ENDPOINT"):
        ObjectStore(settings.model_copy(update={"kuberacer_s3_endpoint": "nonsense"}))


class RefusingServer(BaseHTTPRequestHandler):
    """Answers every request with one error, as other S3 stores word them."""

    status, code = 500, "InternalError"

    def do_PUT(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        body = f"<Error><Code>{self.code}</Code><Message>its words</Message></Error>".encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (507, "XMinioStorageFull", "is full"),
        (403, "QuotaExceeded", "is full"),
        (403, "RequestTimeTooSkewed", "denies put object key: RequestTimeTooSkewed"),
        (500, "InternalError", "cannot do it .put object key.: .*its words"),
        (400, "InvalidRequest", "refuses put object key: .*its words"),
        (404, "NoSuchBucket", "no bucket 'kuberacer'"),
    ],
)
def test_other_stores_refusals_are_understood(settings: StoreSettings, status: int, code: str, said: str):
    handler = type("Handler", (RefusingServer,), {"status": status, "code": code})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        endpoint = f"http://127.0.0.1:{server.server_port}"
        store = ObjectStore(settings.model_copy(update={"kuberacer_s3_endpoint": endpoint}), attempts=1)
        with pytest.raises(UserError, match=said):
            store.put_bytes("key", b"data")
        server.shutdown()


@given(bucket=st.from_regex(r"[a-z0-9.-]{3,20}", fullmatch=True), key=st.text(min_size=1, max_size=30))
def test_addresses_are_taken_apart(bucket: str, key: str):
    assert split_address(f"s3://{bucket}/{key}") == (bucket, key)


@pytest.mark.parametrize(
    "address", ["", "s3://", "s3://bucket", "s3://bucket/", "s3:///key", "http://bucket/key", "key"]
)
def test_what_is_no_address_is_refused(address: str):
    with pytest.raises(UserError, match="not the address"):
        split_address(address)
