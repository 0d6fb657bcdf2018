"""A Unity player of this machine: what belongs to it, packed, into the object store by its content."""

import hashlib
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.store.client import ObjectStore

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")


def put_player(store: ObjectStore, player: str) -> str:
    """The address of a player's archive or single file in the store; addresses stay as they are."""
    if player.startswith("s3://"):
        return player
    path = Path(player)
    if not path.exists():
        raise UserError(
            f"there is no player {player}", "give the path of a Unity build for Linux, or its s3:// address"
        )
    parts = belonging(path)
    if len(parts) == 1 and path.is_file():
        return _put(store, path)
    with tempfile.TemporaryDirectory(prefix="kuberacer-player-") as work:
        archive = Path(work) / f"{path.stem or path.name}.tar"
        with tarfile.open(archive, "w") as packed:
            for part in parts:
                packed.add(part, part.relative_to(path if path.is_dir() else path.parent), filter=_plain)
        return _put(store, archive)


def belonging(path: Path) -> list[Path]:
    """A folder's files; with an executable what Unity's build puts beside it: <name>_Data, and its libraries."""
    if path.is_dir():
        return sorted(each for each in path.rglob("*") if each.is_file())
    data = path.with_name(f"{path.stem}_Data")
    if path.name.endswith(ARCHIVES) or not data.is_dir():
        return [path]
    beside: Iterable[Path] = [*data.rglob("*"), *path.parent.glob("*.so")]
    return sorted([path, *(each for each in beside if each.is_file())])


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without times and owners, so that equal files make equal archives."""
    info.mtime, info.uid, info.gid, info.uname, info.gname, info.mode = 0, 0, 0, "", "", 0o755
    return info


def _put(store: ObjectStore, path: Path) -> str:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    key = f"inputs/{digest[:16]}/{path.name}"
    if store.size(key) != path.stat().st_size:
        store.put_file(key, path)
    return store.address(key)
