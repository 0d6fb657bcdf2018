"""A registry for tests: Debian's docker-registry on this machine, and a base image that is built on in seconds."""

import gzip
import hashlib
import io
import json
import shutil
import socket
import subprocess
import tarfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from deployment import kubectl

MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"


@contextmanager
def running_registry(folder: Path) -> Iterator[str]:
    """host:port by which this machine and the cluster's pods reach it; only where the node is this machine."""
    program = shutil.which("docker-registry")
    if program is None:
        pytest.skip("no docker-registry to push to (Debian: apt-get install docker-registry)")
    host = kubectl("get", "nodes", "-o", 'jsonpath={.items[0].status.addresses[?(@.type=="InternalIP")].address}')
    try:
        with socket.socket() as probe:
            probe.bind((host, 0))
            port = probe.getsockname()[1]
    except OSError:
        pytest.skip(f"the cluster's node {host} is another machine: its pods do not reach a registry here")
    settings = folder / "registry.json"  # JSON is YAML
    store = {"filesystem": {"rootdirectory": str(folder / "data")}}
    settings.write_text(json.dumps({"version": "0.1", "storage": store, "http": {"addr": f"{host}:{port}"}}))
    log = (folder / "registry.log").open("wb")
    with log, subprocess.Popen([program, "serve", settings], stdout=log, stderr=log) as process:
        try:
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and process.poll() is None:
                try:
                    urllib.request.urlopen(f"http://{host}:{port}/v2/", timeout=2).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield f"{host}:{port}"
        finally:
            process.terminate()


def ask(address: str, method: str = "GET", data: bytes | None = None, kind: str = MANIFEST) -> tuple[bytes, dict]:
    """(body, headers)."""
    request = urllib.request.Request(address, data, {"Content-Type": kind, "Accept": MANIFEST}, method=method)
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.read(), dict(answer.headers)


def push_base(registry: str, name: str) -> str:
    """An image with one file, as every registry takes it; returns the image's name."""
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:
        member = tarfile.TarInfo("etc/base")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"base"))
    packed = gzip.compress(layer.getvalue(), mtime=0)
    digest = f"sha256:{hashlib.sha256(layer.getvalue()).hexdigest()}"
    history = [{"created": "1970-01-01T00:00:00Z", "created_by": "test"}]
    config = {"architecture": "amd64", "os": "linux", "config": {}, "history": history}
    config["rootfs"] = {"type": "layers", "diff_ids": [digest]}
    described = []
    for kind, data in (
        ("container.image.v1+json", json.dumps(config).encode()),
        ("image.rootfs.diff.tar.gzip", packed),
    ):
        blob = f"sha256:{hashlib.sha256(data).hexdigest()}"
        _, headers = ask(f"http://{registry}/v2/{name}/blobs/uploads/", "POST", b"")
        ask(f"{headers['Location']}&digest={blob}", "PUT", data, "application/octet-stream")
        described.append({"mediaType": f"application/vnd.docker.{kind}", "size": len(data), "digest": blob})
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": described[0], "layers": described[1:]}
    ask(f"http://{registry}/v2/{name}/manifests/1", "PUT", json.dumps(manifest).encode())
    return f"{registry}/{name}:1"


def pull(registry: str, image: str) -> tuple[dict, list[str], dict[str, bytes]]:
    """(configuration, digests of the layers, files by name) of <registry>/<name>@<digest>."""
    name, _, digest = image.removeprefix(f"{registry}/").partition("@")
    manifest = json.loads(ask(f"http://{registry}/v2/{name}/manifests/{digest}")[0])
    blobs = f"http://{registry}/v2/{name}/blobs"
    config = json.loads(ask(f"{blobs}/{manifest['config']['digest']}")[0])
    files: dict[str, bytes] = {}
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(ask(f"{blobs}/{layer['digest']}")[0])) as tar:
            files |= {member.name: tar.extractfile(member).read() for member in tar if member.isfile()}
    return config, [layer["digest"] for layer in manifest["layers"]], files
