"""The embedded store starts, keeps its data, and leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from kuberacer.errors import UserError
from kuberacer.settings import StoreSettings
from kuberacer.store import server as server_module
from kuberacer.store.client import ObjectStore
from kuberacer.store.server import SeaweedServer, free_ports

RUN_AND_HANG = """
import sys, time
from pathlib import Path
from kuberacer.store.client import ObjectStore
from kuberacer.store.server import SeaweedServer
with SeaweedServer(Path(sys.argv[1])) as server:
    ObjectStore(server.settings).put_bytes("kept", bytes(5_000_000))
    print(server._process.pid, flush=True)
    time.sleep(600)
"""


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return
        if " Z " in Path(f"/proc/{pid}/stat").read_text():
            return
        time.sleep(0.05)
    raise AssertionError(f"process {pid} is still there")


def test_the_environment_leads_to_the_store_and_data_outlives_the_server(tmp_path: Path, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")  # a proxy must not stand between us and the loopback
    with SeaweedServer(tmp_path / "store") as server:
        for name, value in server.environment().items():
            monkeypatch.setenv(name, value)
        store = ObjectStore(StoreSettings.from_environment())
        store.put_bytes("a/b", b"data")
        first = server.environment()
    with pytest.raises(UserError, match="cannot be reached"):
        store.get_bytes("a/b")
    with SeaweedServer(tmp_path / "store") as server:
        assert server.settings is not None
        assert ObjectStore(server.settings).get_bytes("a/b") == b"data"
        assert server.environment()["AWS_SECRET_ACCESS_KEY"] != first["AWS_SECRET_ACCESS_KEY"]
    assert not list(Path("/tmp").glob(f"seaweedfs-*-{server._ports['s3.port.grpc']}.sock"))


def test_what_is_secret_is_only_the_users(tmp_path: Path):
    with SeaweedServer(tmp_path / "store") as server:
        assert (tmp_path / "store").stat().st_mode & 0o077 == 0
        assert (tmp_path / "store" / "identities.json").stat().st_mode & 0o077 == 0
        assert server.settings is not None
        assert server.settings.aws_secret_access_key is not None
        secret = server.settings.aws_secret_access_key.get_secret_value()
        assert server._process is not None
        assert secret not in Path(f"/proc/{server._process.pid}/cmdline").read_text()
        for port in server._ports.values():  # nothing listens beyond the loopback
            with socket.socket() as probe:
                probe.bind(("127.0.0.2", port))


def test_the_inner_ports_take_no_requests(tmp_path: Path):
    with SeaweedServer(tmp_path) as server:
        assert server.settings is not None
        ObjectStore(server.settings).put_bytes("key", b"data")
        for service, path in (
            ("master", "/col/delete?collection=kuberacer"),
            ("master", "/dir/assign"),
            ("filer", "/buckets/kuberacer/key"),
            ("filer", "/"),
            ("admin", "/"),
            ("s3", "/kuberacer/key"),
            ("volume", "/1,0"),
        ):
            with pytest.raises(urllib.error.HTTPError) as refused:
                urllib.request.urlopen(f"http://127.0.0.1:{server._ports[f'{service}.port']}{path}", timeout=10)
            assert refused.value.code in (400, 401, 403, 404), (service, path)
        assert ObjectStore(server.settings).get_bytes("key") == b"data"


def test_a_killed_run_leaves_no_server_and_its_data_is_read_again(tmp_path: Path):
    run = subprocess.Popen([sys.executable, "-c", RUN_AND_HANG, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    pid = int(run.stdout.readline())
    with pytest.raises(UserError, match=f"in use by another run .process {run.pid}"), SeaweedServer(tmp_path):
        pass
    run.send_signal(signal.SIGKILL)
    run.wait()
    run.stdout.close()
    wait_until_gone(pid)
    with SeaweedServer(tmp_path) as server:
        assert server.settings is not None
        assert ObjectStore(server.settings).get_bytes("kept") == bytes(5_000_000)


def test_a_taken_port_is_answered_with_other_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        choices = [{**free_ports(), "s3.port": taken.getsockname()[1]}, free_ports()]
        monkeypatch.setattr(server_module, "free_ports", lambda: choices.pop(0))
        with SeaweedServer(tmp_path) as server:
            assert server._ports["s3.port"] != taken.getsockname()[1]
    assert not choices


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file/store cannot be written"), SeaweedServer(tmp_path / "file" / "store"):
        pass
