"""Archives that steps left in a store, unpacked as if they came from anyone."""

import gzip
import shutil
import tarfile
import tempfile
import zlib
from pathlib import Path, PurePosixPath

from kuberacer.errors import UserError

LIMIT_BYTES = 8 << 30
LIMIT_MEMBERS = 100_000


def unpack(archive: Path, place: Path, limit_bytes: int = LIMIT_BYTES, limit_members: int = LIMIT_MEMBERS) -> None:
    """What a tar archive (gzipped or not) of one file or one folder holds, at `place`.

    Raises UserError, leaving nothing at `place`, for what is no such archive: several entries at its top, more bytes or
    members than the limits, links and names that lead out of it, devices.
    """
    place.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=".unpack-", dir=place.parent))
    try:
        _extract(archive, scratch, limit_bytes, limit_members)
        top = list(scratch.iterdir())
        if len(top) != 1 or top[0].is_symlink():
            raise UserError(f"{archive.name} does not hold one file or one folder", "see what wrote it")
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        top[0].replace(place)
    except (
        tarfile.TarError,
        EOFError,
        zlib.error,
        gzip.BadGzipFile,
        ValueError,
        FileExistsError,
        NotADirectoryError,
    ) as error:
        raise UserError(f"{archive.name} is not an archive to be trusted: {error}", "see what wrote it") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _extract(archive: Path, folder: Path, limit_bytes: int, limit_members: int) -> None:
    total = count = 0
    with archive.open("rb") as file:
        zipped = file.read(2) == b"\x1f\x8b"
    with tarfile.open(archive, "r:gz" if zipped else "r:") as tar:
        for member in tar:
            total, count = total + max(member.size, 0), count + 1
            if total > limit_bytes or count > limit_members:
                raise UserError(
                    f"{archive.name} unpacks to more than {limit_bytes >> 20} MiB or {limit_members} files",
                    "see what the step wrote",
                )
            _take(tar, member, folder)


def _take(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> None:
    """Files and folders below `folder`, nothing else. tarfile's own filters are not in every Python 3.11."""
    name = PurePosixPath(member.name)
    if name.is_absolute() or ".." in name.parts:
        raise ValueError(f"{member.name} leads out of the folder")
    place = folder / name
    if member.isdir():
        place.mkdir(parents=True, exist_ok=True)
        return
    source = tar.extractfile(member) if member.isreg() else None
    if source is None:
        raise ValueError(f"{member.name} is neither a file nor a folder")
    place.parent.mkdir(parents=True, exist_ok=True)
    with source, place.open("xb") as file:
        shutil.copyfileobj(source, file)
