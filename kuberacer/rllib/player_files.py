"""A Unity player's files on this machine: from the object store or a path, unpacked, with the executable found."""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.formats.unpack import Limits, extract
from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore, split_address

LIMITS = Limits(total_bytes=16 << 30, members=100_000)
ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz")
ELF, SCRIPT = b"\x7fELF", b"#!"
MACHINES = {"x86_64": 0x3E, "aarch64": 0xB7}  # ELF's e_machine
OTHERS = {b"MZ": "Windows", b"\xcf\xfa": "macOS", b"\xca\xfe": "macOS"}


def bring_player(source: str, executable: str, folder: Path) -> Path:
    """The player's executable, ready to be started.

    source: the s3:// address or the path of the executable, of an archive, or of a folder with the executable and its
    data. executable: its name in there, '' to find it. folder: where what is fetched or unpacked is kept, for all
    processes of one training on this machine. Raises UserError when it is not there, or is no player for this machine.
    """
    if not source:
        raise UserError("no player is given", "give UNITY_PLAYER=path or s3://…: a Unity build for Linux")
    place = Path(source)
    if source.startswith("s3://") or place.name.endswith(ARCHIVES):
        place = _kept(source, folder)
    elif not place.exists():
        raise UserError(
            f"there is no player {source}", "give the path of a Unity build for Linux, or its s3:// address"
        )
    found = place if place.is_file() else find_executable(place, executable, source)
    check_program(found, source)
    if not os.access(found, os.X_OK):
        found.chmod(0o755)
    return found.resolve()


def find_executable(folder: Path, named: str, source: str) -> Path:
    """Unity names it <build>.x86_64, and the folder of its data <build>_Data."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    if named:
        found = [path for path in files if path.name == named or path == folder / named]
        if not found:
            raise UserError(f"{source} has no file {named}", f"name one of: {_listed(files, folder)}")
        return found[0]
    programs = [path for path in files if is_program(path) and not path.name.endswith((".so", ".sh"))]
    for chosen in (
        [path for path in programs if path.suffix == ".x86_64"],
        [path for path in programs if (path.parent / f"{path.stem}_Data").is_dir()],
        programs,
    ):
        if len(chosen) == 1:
            return chosen[0]
    if not programs:
        raise UserError(
            f"{source} holds no program for Linux", f"build the scene for Linux; it has {_listed(files, folder)}"
        )
    raise UserError(
        f"{source} holds {len(programs)} programs", f"name one, UNITY_EXECUTABLE=…: {_listed(programs, folder)}"
    )


def is_program(path: Path) -> bool:
    """A script, or a program or library of Linux."""
    return _start(path)[:4] == ELF or _start(path)[:2] == SCRIPT


def check_program(path: Path, source: str) -> None:
    """Raises UserError for what this machine cannot execute."""
    start = _start(path)
    if start[:2] == SCRIPT:
        return
    if start[:4] != ELF:
        other = OTHERS.get(start[:2])
        told = f" but one for {other}" if other else ""
        raise UserError(f"{source}: {path.name} is no program for Linux{told}", "build the scene for Linux (x86_64)")
    wanted = MACHINES.get(platform.machine())
    if wanted is not None and int.from_bytes(start[18:20], "little") != wanted:
        raise UserError(
            f"{source}: {path.name} is for another processor than {platform.machine()}", "build the scene for this one"
        )


def _kept(source: str, folder: Path) -> Path:
    """What the address or archive holds, in a folder of its own, which one of several processes fills."""
    place = folder / hashlib.sha256(source.encode()).hexdigest()[:16]
    with _locked(folder, place.name):
        if not place.exists():
            with tempfile.TemporaryDirectory(prefix=".player-", dir=folder) as work:
                made = Path(work) / "files"
                _fetch(source, made, Path(work))
                made.rename(place)
    return place


def _fetch(source: str, made: Path, work: Path) -> None:
    if not source.startswith("s3://"):
        if not Path(source).is_file():
            raise UserError(f"there is no player {source}", "give the path of a Unity build for Linux")
        extract(Path(source), made, LIMITS)
        return
    bucket, key = split_address(source)
    store = ObjectStore(StoreSettings.from_environment().model_copy(update={"kuberacer_s3_bucket": bucket}))
    if key.endswith("/") or not store.exists(key):
        _fetch_folder(store, key.rstrip("/") + "/", made)
    elif key.endswith(ARCHIVES):
        archive = work / Path(key).name
        store.get_file(key, archive)
        extract(archive, made, LIMITS)
    else:
        store.get_file(key, made / Path(key).name)


def _fetch_folder(store: ObjectStore, prefix: str, made: Path) -> None:
    entries = [entry for entry in store.entries(prefix) if not entry.key.endswith("/")]
    if not entries:
        raise UserError(f"there is no player {store.address(prefix)}", "check the address; upload the build there")
    if len(entries) > LIMITS.members or sum(entry.size for entry in entries) > LIMITS.total_bytes:
        raise UserError(f"{store.address(prefix)} holds more than a player", "give the folder of the build alone")
    for entry in entries:
        parts = entry.key.removeprefix(prefix).split("/")
        if any(part in ("", ".", "..") or "\0" in part for part in parts):
            raise UserError(f"{store.address(entry.key)} is no name for a file", "remove the object")
        store.get_file(entry.key, made.joinpath(*parts))
    if len(entries) == 1 and entries[0].key.endswith(ARCHIVES):
        archive = made.with_name("archive")
        next(path for path in made.rglob("*") if path.is_file()).rename(archive)
        shutil.rmtree(made)
        extract(archive, made, LIMITS)


@contextlib.contextmanager
def _locked(folder: Path, name: str) -> Iterator[None]:
    """Raises UserError for a folder of another user: what lies there is executed."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if folder.stat().st_uid != os.getuid():
        raise UserError(f"{folder} is another user's", "remove it, or set TMPDIR to a folder of your own")
    with (folder / f".{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _start(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(20)


def _listed(files: list[Path], folder: Path) -> str:
    return ", ".join(str(path.relative_to(folder)) for path in files[:8]) or "nothing"
