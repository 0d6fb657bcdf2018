"""A document's files as a folder of this machine, named by their content, built where the document says so."""

import contextlib
import hashlib
import os
import platform
import re
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from kuberacer.cache import cache_folder
from kuberacer.errors import UserError
from kuberacer.formats.reward_document import MAX_BYTES, MAX_FILES, RewardDocument
from kuberacer.reward import kernel_limits
from kuberacer.reward.output import printable
from kuberacer.reward.program import ProgramFault, find, installed_with, said_at_start, start

BUILD_S, BUILD_MIB, BUILD_FILE_MIB = 120, 2048, 64


def folder_of(document: RewardDocument) -> Path:
    """The folder with the files; made once for the same content. Raises UserError."""
    document = built(document)
    here = machine()
    if document.built and document.built != here:
        raise UserError(
            f"{document.name}: its program was built for {document.built}, this is {here}",
            "run all stages on machines of one kind, or bring a program that needs no build",
        )
    digest = hashlib.sha256(document.to_text().encode()).hexdigest()
    parent = cache_folder() / "rewards"
    folder = parent / digest
    if folder.is_dir():
        return folder
    parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=parent) as scratch:
        made = Path(scratch) / "files"
        write_files(made, document.files)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # else another process was faster with the same content
                raise
    return folder


def built(document: RewardDocument) -> RewardDocument:
    """The same with what its build command makes of its files, or as it is when there is nothing to build.

    The command may write below a folder of its own and reach no network. Raises UserError."""
    if document.absent:
        name = next(iter(document.absent))
        remedy = "give its text: files: {name: text}; or its address: {name: s3://…}"
        raise UserError(f"{document.name}: the file {name} is named, but it is not here", remedy)
    if not document.build or document.built:
        return document
    with tempfile.TemporaryDirectory(prefix="kuberacer-build-", dir=cache_folder()) as scratch:
        folder, temporary = Path(scratch) / "files", Path(scratch) / "tmp"
        temporary.mkdir()
        write_files(folder, document.files)
        try:
            _run_build(document, folder, temporary)
        except ProgramFault as fault:
            raise UserError(f"{document.name}: build: {fault.what}", fault.remedy) from None
        return replace(document, files=_read_files(document.name, folder), built=machine())


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Each may be run: which of them are programs, their names do not say."""
    folder.mkdir()
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        path.chmod(0o755)


def machine() -> str:
    return f"{platform.system()} {platform.machine()}"


def _run_build(document: RewardDocument, folder: Path, temporary: Path) -> None:
    command = list(document.build)
    program = find(command[0], folder)
    settings = {
        "program": program, "command": command, "purpose": kernel_limits.BUILD,
        "memory_mib": BUILD_MIB, "cpu_s": BUILD_S, "file_mib": BUILD_FILE_MIB,
        "readable": [installed_with(program), "/proc/self"], "writable": [str(folder.parent), "/dev/null"],
        "environment": {"TMPDIR": str(temporary), "HOME": str(temporary)},
    }  # fmt: skip
    said = temporary.parent / "said"
    with said.open("wb") as file:
        process, status = start(settings, folder, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
        try:
            said_at_start(status, program)
            code = process.wait(BUILD_S)
        except subprocess.TimeoutExpired:
            raise ProgramFault(f"it did not end within {BUILD_S} s", "build less, or bring a program") from None
        finally:
            _end(process)
    if code:
        lines = printable(_tail(said)).strip().splitlines() or ["no message"]
        worst = next((line for line in lines if re.search(r"\berror\b", line, re.IGNORECASE)), lines[-1])
        raise ProgramFault(f"it ended with status {code}: {worst.strip()[:300]}", f"correct it; try {program} by hand")


def _end(process: subprocess.Popen) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _tail(path: Path) -> str:
    return path.read_bytes()[:65_536].decode(errors="replace")


def _read_files(name: str, folder: Path) -> dict[str, bytes]:
    """What the build has left, links left out. Raises UserError when that is too much."""
    files: dict[str, bytes] = {}
    size = 0
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() or not path.is_file():
            continue
        size += path.stat().st_size
        if size > MAX_BYTES or len(files) >= MAX_FILES:
            raise UserError(
                f"{name}: build leaves more than {MAX_FILES} files or {MAX_BYTES >> 20} MiB",
                "remove what is not needed at its end",
            )
        files[path.relative_to(folder).as_posix()] = path.read_bytes()
    return files
