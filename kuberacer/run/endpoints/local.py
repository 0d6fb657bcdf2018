"""Endpoints of this machine: OUT/.endpoints/<name>, each with its model, its record, its log, and a process that serves
it until it is deleted or has expired (kuberacer/serve/supervise.py)."""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kuberacer.endpoint import LOCK, LOG, MODEL, RECORD, TOKEN, checked_name, name_of_run
from kuberacer.errors import UserError
from kuberacer.formats.policy import FILENAME, ONNX, digest
from kuberacer.listen import address, is_loopback
from kuberacer.run.endpoints.asking import Address, is_ready
from kuberacer.run.local import Environments

FOLDER = ".endpoints"
READY_S, END_S = 180.0, 40.0
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ")  # nothing else: no credentials


@dataclass(frozen=True)
class LocalEndpoint:
    folder: Path
    record: dict[str, Any]
    pid: int | None  # of the process that serves it; None: it has ended

    @property
    def name(self) -> str:
        return self.folder.name

    @property
    def run(self) -> str:
        return str(self.record.get("run", ""))

    @property
    def expires_at(self) -> float | None:
        return self.record.get("expires_at")

    @property
    def place(self) -> str:
        """Of the model, as other machines reach it where they may."""
        return f"{address(self.record['host'], int(self.record['port']))}/v1/models/{self.name}"

    @property
    def address(self) -> Address:
        """Where this machine reaches it."""
        host = self.record["host"]
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
        return Address(self.name, host, int(self.record["port"]), self.record.get("token", ""))


def deploy(
    out: Path, run: str, name: str, port: int | None, host: str, expires_at: float | None, workers: int
) -> LocalEndpoint:
    """Start an endpoint of a run, and wait until it is ready. Raises UserError, and leaves nothing then."""
    name = checked_name(name or name_of_run(run))
    python = str(Environments().of("serve").python)
    with _deploying(out):
        before = find(out, name)
        if before is not None and before.pid is not None:
            raise UserError(
                f"there is an endpoint {name} already, of {before.run}",
                f"choose another NAME, or delete it: make delete-endpoint NAME={name}",
            )
        folder = out / FOLDER / name
        shutil.rmtree(folder, ignore_errors=True)
        try:
            fetch_model(out, run, folder / MODEL)
            command = [python, "-m", "kuberacer.serve", "--folder", str(folder.resolve()), "--name", name, "--run", run]
            command += ["--host", host, "--workers", str(workers), "--digest", digest(folder / MODEL)]
            command += ["--port", str(port)] if port is not None else []
            command += ["--expires-at", str(expires_at)] if expires_at is not None else []
            _start(folder, command, "" if is_loopback(host) else _token())
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        found = find(out, name)
        assert found is not None
        return found


def fetch_model(out: Path, run: str, folder: Path) -> None:
    """What a server reads of a run's published model: of OUT, else of the bucket that the settings name."""
    folder.mkdir(parents=True)
    model = out / run / "model"
    if (out / run).is_dir():
        missing = [name for name in (FILENAME, ONNX) if not (model / name).is_file()]
        if missing:
            raise UserError(
                f"the run {run} has no model/{missing[0]}",
                f"publish it: make run-pipeline RESUME={run} (a run of an earlier version, too)",
            )
        for name in (FILENAME, ONNX):
            shutil.copyfile(model / name, folder / name)
    elif os.environ.get("KUBERACER_S3_BUCKET"):
        from kuberacer.settings import StoreSettings  # not at the top: boto3 is slow to import
        from kuberacer.store.client import ObjectStore

        store = ObjectStore(StoreSettings.from_environment())
        for name in (FILENAME, ONNX):
            store.get_file(f"{run}/model/{name}", folder / name)
    else:
        folders = (path.parents[1] for path in out.glob(f"*/model/{FILENAME}"))
        runs = sorted(folder.name for folder in folders if not folder.is_symlink())
        raise UserError(
            f"there is no run {run} in {out}",
            f"choose one of {', '.join(runs[-8:])}" if runs else "publish one: make run-pipeline",
        )


def all_of(out: Path) -> list[LocalEndpoint]:
    folders = sorted((out / FOLDER).glob("*/")) if (out / FOLDER).is_dir() else []
    return [found for folder in folders if (found := find(out, folder.name)) is not None]


def find(out: Path, name: str) -> LocalEndpoint | None:
    folder = out / FOLDER / name
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return LocalEndpoint(folder, record, _holder(folder / LOCK))


def delete(endpoint: LocalEndpoint) -> None:
    """End it: what is being answered is answered first. Nothing is left of it."""
    if endpoint.pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(endpoint.pid, signal.SIGTERM)
        until = time.monotonic() + END_S
        while _holder(endpoint.folder / LOCK) is not None:
            if time.monotonic() > until:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(endpoint.pid, signal.SIGKILL)
            time.sleep(0.05)
    shutil.rmtree(endpoint.folder, ignore_errors=True)


def _start(folder: Path, command: list[str], token: str) -> None:
    """A process that outlives this one, once it is ready; else none."""
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {TOKEN: token} if token else {}
    with (folder / LOG).open("ab") as log:
        process = subprocess.Popen(
            command, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
        )
    try:
        until = time.monotonic() + READY_S
        while not _ready(folder):
            if process.poll() is not None:
                raise _fault(folder / LOG)
            if time.monotonic() > until:
                raise UserError(f"the endpoint was not ready after {READY_S:.0f} s", "see whether the machine is busy")
            time.sleep(0.05)
    except BaseException:
        process.terminate()
        process.wait()
        raise


def _ready(folder: Path) -> bool:
    found = find(folder.parents[1], folder.name)
    return found is not None and is_ready(found.address)


def _fault(log: Path) -> UserError:
    """What the server's log says last of why it ended."""
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    for line, following in zip(reversed(lines[:-1]), reversed(lines[1:]), strict=True):
        if line.startswith("error: ") and following.startswith("remedy: "):
            return UserError(line.removeprefix("error: "), following.removeprefix("remedy: "))
    return UserError(
        f"the server ended: {lines[-1] if lines else 'it said nothing'}", "see whether the memory suffices"
    )


def _token() -> str:
    return os.environ.get(TOKEN) or secrets.token_urlsafe(24)


@contextlib.contextmanager
def _deploying(out: Path) -> Iterator[None]:
    """One deployment at a time: a folder without a process is otherwise one that was left behind."""
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    with (out / FOLDER / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _holder(lock: Path) -> int | None:
    """The process that holds a lock; None when nobody does."""
    try:
        with lock.open("r") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                text = file.read().strip()
                return int(text) if text.isdigit() else None
    except OSError:
        return None
    return None
