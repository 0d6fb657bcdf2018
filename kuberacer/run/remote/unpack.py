"""Archives that steps left in a store, unpacked as if they came from anyone."""

import shutil
import tempfile
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.formats.unpack import Limits, extract

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
        extract(archive, scratch / "all", Limits(limit_bytes, limit_members))
        top = list((scratch / "all").iterdir())
        if len(top) != 1:
            raise UserError(f"{archive.name} does not hold one file or one folder", "see what wrote it")
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        top[0].replace(place)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
