"""Archives of other people: files and folders below one place, within limits, and nothing else.

tarfile's own filters are not in every Python 3.11, and neither they nor zipfile know limits.
"""

import gzip
import io
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from kuberacer.errors import UserError

HEADER_BYTES = 1 << 20  # tarfile reads a long name whole
DEPTH, NAME_BYTES = 32, 255
DAMAGED = (
    tarfile.TarError, zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, ValueError, KeyError,
    FileExistsError, NotADirectoryError, IsADirectoryError, NotImplementedError, RuntimeError, OverflowError,
)  # fmt: skip


@dataclass(frozen=True)
class Limits:
    """total_bytes: unpacked. ratio: of unpacked bytes to the archive's, beyond `free_bytes`."""

    total_bytes: int
    members: int
    ratio: int | None = None
    free_bytes: int = 64 << 20


def extract(archive: Path, folder: Path, limits: Limits) -> None:
    """Write what a .tar, .tar.gz or .zip holds below `folder`, which is made.

    Raises UserError and removes the folder for links, devices, names that lead out, names that are there twice, more
    bytes or members than the limits, and what is damaged.
    """
    folder.mkdir(parents=True)
    try:
        _extract(archive, folder, limits)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, DAMAGED):
            said = str(error).strip() or type(error).__name__
            raise UserError(
                f"{archive.name} is not an archive to be trusted: {said:.200}", "see what wrote it, and fetch it anew"
            ) from None
        raise


def _extract(archive: Path, folder: Path, limits: Limits) -> None:
    with archive.open("rb") as file:
        start = file.read(4)
    most = limits.total_bytes
    if limits.ratio is not None:
        most = min(most, max(limits.free_bytes, limits.ratio * archive.stat().st_size))
    total = count = 0
    for name, size, data in (_zipped if start[:2] == b"PK" else _tarred)(archive, start, limits):
        total, count = total + size, count + 1
        if total > most or count > limits.members:
            small = f", from {archive.stat().st_size >> 10} KiB" if total <= limits.total_bytes else ""
            raise UserError(
                f"{archive.name} unpacks to more than {most >> 20} MiB or {limits.members} files{small}",
                "see what wrote it; a bomb looks like this",
            )
        place = _place(folder, name)
        if data is None:
            place.mkdir(parents=True, exist_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        with data, place.open("xb") as target:
            shutil.copyfileobj(data, target)
        if place.stat().st_size != size:
            raise ValueError(f"{name} ends too early")


def _place(folder: Path, name: str) -> Path:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or "\0" in name or ":" in name[:2]:
        raise ValueError(f"{name!r} leads out of the folder")
    if len(path.parts) > DEPTH or any(len(part.encode(errors="replace")) > NAME_BYTES for part in path.parts):
        raise ValueError(f"{name[:40]!r}… is too long a name")
    return folder / path


def _tarred(archive: Path, start: bytes, limits: Limits) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    """(name, bytes, data; None for a folder) of each member."""
    with archive.open("rb") as raw:
        opened: Any = gzip.GzipFile(fileobj=raw) if start[:2] == b"\x1f\x8b" else raw
        bounded = _Bounded(opened, limits.total_bytes + limits.members * 4096)
        with tarfile.open(fileobj=bounded, mode="r:") as tar:
            for member in tar:
                if not member.isreg() and not member.isdir():
                    raise ValueError(f"{member.name!r} is neither a file nor a folder")
                if member.size < 0:
                    raise ValueError(f"{member.name!r} has a negative size")
                yield member.name, member.size, tar.extractfile(member)


def _zipped(archive: Path, start: bytes, limits: Limits) -> Iterator[tuple[str, int, IO[bytes] | None]]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            kind = stat.S_IFMT(info.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise ValueError(f"{info.filename!r} is neither a file nor a folder")
            yield info.orig_filename, info.file_size, None if info.is_dir() else opened.open(info)


class _Bounded(io.RawIOBase):
    """A stream of which only so much is read, and little at once: a tar's header may say that it has gigabytes."""

    def __init__(self, source: Any, most: int):
        self.source, self.most = source, most

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEADER_BYTES or self.source.tell() > self.most:
            raise ValueError("it is larger than its limit, or has a header of more than 1 MiB")
        return self.source.read(size)

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence or offset > self.most:
            raise ValueError("it is larger than its limit")
        return self.source.seek(offset)

    def tell(self) -> int:
        return self.source.tell()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True
