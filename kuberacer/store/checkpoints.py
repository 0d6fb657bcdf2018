"""Checkpoints in the object store: content-addressed objects, and one manifest written last.

<prefix>/objects/<sha256>: a file's bytes. <prefix>/checkpoints/<iteration, 8 digits>.json: the manifest. There are no
lock files: a reader sees a manifest only when everything in it is there, and a writer killed at any point leaves the
checkpoints before it as they were.
"""

import hashlib
import json
import math
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.store.client import NotFoundError, ObjectStore

SCHEMA = 1
_SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")


class DamagedError(UserError):
    """A file of a checkpoint is not what its manifest says."""


@dataclass(frozen=True)
class Manifest:
    """One checkpoint.

    files: name -> (sha256, bytes). lap: {laps, completed, seconds, progress, perhaps reward} of its deterministic laps,
    None where they have not been driven. saved_at: seconds since the epoch.
    """

    iteration: int
    files: dict[str, tuple[str, int]]
    lap: dict[str, Any] | None
    saved_at: float
    schema: int = SCHEMA

    def rank(self) -> tuple[float, float, float]:
        """Completed laps first, or their reward where it is known, then the shorter time, then the longer way;
        without laps, behind all others."""
        if self.lap is None:
            return (-math.inf, -math.inf, 0.0)
        seconds = self.lap["seconds"] if self.lap["completed"] else math.inf
        reward = self.lap.get("reward")
        return (self.lap["laps"] if reward is None else reward, -seconds, self.lap["progress"])

    @classmethod
    def parse(cls, text: bytes, key: str) -> "Manifest":
        """Raises UserError for what is no manifest of this schema; names cannot lead out of a folder."""
        try:
            data = json.loads(text)
            if data["schema"] != SCHEMA:
                raise ValueError(f"schema {data['schema']}, this version reads {SCHEMA}")
            files = {name: (str(digest), int(size)) for name, (digest, size) in data["files"].items()}
            for name, (digest, _) in files.items():
                if not _SAFE_NAME.fullmatch(name) or name in (".", "..") or not re.fullmatch(r"[0-9a-f]{64}", digest):
                    raise ValueError(f"file {name!r} with digest {digest!r}")
            lap = None if data["lap"] is None else dict(data["lap"])
            manifest = cls(int(data["iteration"]), files, lap, float(data["saved_at"]))
            if not all(isinstance(part, int | float) for part in manifest.rank()):
                raise ValueError(f"lap {lap}")
            return manifest
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise UserError(f"{key} is no checkpoint manifest: {error}", "name a run that this version made") from error


class CheckpointStore:
    """The checkpoints of one run. One writer, any number of readers."""

    def __init__(self, store: ObjectStore, prefix: str):
        self.store, self.prefix = store, prefix

    def save(self, folder: Path, iteration: int, lap: dict[str, Any] | None) -> Manifest:
        """Put the folder's files, those first that are not there yet, the manifest last.

        lap: None while the laps are still being driven; `set_lap` brings them later."""
        files = {}
        for path in sorted(folder.iterdir()):
            digest = file_digest(path)
            files[path.name] = (digest, path.stat().st_size)
            # The size, too: a store whose machine lost power may hold a torn object under the right name.
            if self.store.size(self._object(digest)) != path.stat().st_size:
                self.store.put_file(self._object(digest), path)
        manifest = Manifest(iteration, files, lap, time.time())
        self.store.put_bytes(self._manifest(iteration), json.dumps(asdict(manifest)).encode(), "application/json")
        return manifest

    def set_lap(self, iteration: int, lap: dict[str, Any]) -> bool:
        """Write down the laps of a checkpoint that is there; False when it is not. By the one writer only."""
        manifest = self._read(iteration)
        if manifest is None:
            return False
        told = replace(manifest, lap=lap)
        self.store.put_bytes(self._manifest(iteration), json.dumps(asdict(told)).encode(), "application/json")
        return True

    def iterations(self) -> list[int]:
        """Of the checkpoints that are there, ascending."""
        names = (key.rsplit("/", 1)[1] for key in self.store.list(f"{self.prefix}/checkpoints/"))
        return sorted(int(name.removesuffix(".json")) for name in names if re.fullmatch(r"\d{8}\.json", name))

    def find(self, which: str | int) -> Manifest | None:
        """The checkpoint "last", "best" or of an iteration; None when there is none. The best one has laps."""
        if isinstance(which, int):
            return self._read(which)
        manifests = self._manifests()
        if which == "last":
            return next(manifests, None)
        if which == "best":
            return best_of(manifests)
        raise ValueError(f"{which!r} is neither last nor best")

    def load(self, manifest: Manifest, folder: Path) -> None:
        """Fetch a checkpoint's files, each checked against its digest. Raises DamagedError or NotFoundError."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, (digest, _) in manifest.files.items():
            self.store.get_file(self._object(digest), folder / name)
            if file_digest(folder / name) != digest:
                (folder / name).unlink()
                raise DamagedError(
                    f"checkpoint {manifest.iteration} of {self.prefix}: {name} is damaged in the store",
                    "go on from another checkpoint, and check the store's disk",
                )

    def read(self, manifest: Manifest, name: str) -> bytes:
        """One of a checkpoint's files that is known to be small."""
        return self.store.get_bytes(self._object(manifest.files[name][0]))

    def load_last(self, folder: Path) -> Manifest | None:
        """Fetch the last checkpoint, or the last one that is whole where the store has lost something of it.

        None when there is no checkpoint. Raises DamagedError or NotFoundError when there is none that is whole.
        """
        fault: UserError | None = None
        for manifest in self._manifests():
            try:
                self.load(manifest, folder)
                return manifest
            except (DamagedError, NotFoundError) as error:
                fault = fault or error
                for name in manifest.files:
                    (folder / name).unlink(missing_ok=True)
        if fault is not None:
            raise fault
        return None

    def prune(self, keep: int, waiting: int = 0) -> list[int]:
        """Remove all but the last `keep` checkpoints and the best one, and every object that none of these needs.

        waiting: so many of the last checkpoints stay while neither they nor a later one have laps: theirs may still be
        on their way.

        For the run's one writer, between two saves: what a killed one left behind goes, too. Manifests go first, so
        that what a reader finds is whole. Returns the iterations that are gone.
        """
        manifests = list(self._manifests())
        best = best_of(manifests)
        unknown = next((i for i, manifest in enumerate(manifests) if manifest.lap is not None), len(manifests))
        keep = max(keep, min(waiting, unknown))
        kept = [manifest for i, manifest in enumerate(manifests) if i < keep or manifest is best]
        gone = sorted({m.iteration for m in manifests} - {m.iteration for m in kept})
        self.store.delete_all([self._manifest(iteration) for iteration in gone])
        needed = {self._object(digest) for manifest in kept for digest, _ in manifest.files.values()}
        self.store.delete_all([key for key in self.store.list(f"{self.prefix}/objects/") if key not in needed])
        return gone

    def _manifests(self) -> Iterator[Manifest]:
        """Those that are there, the newest first; the writer may remove some while they are read."""
        for iteration in reversed(self.iterations()):
            manifest = self._read(iteration)
            if manifest is not None:
                yield manifest

    def _read(self, iteration: int) -> Manifest | None:
        key = self._manifest(iteration)
        try:
            text = self.store.get_bytes(key)
        except NotFoundError:
            return None
        return Manifest.parse(text, key)

    def _manifest(self, iteration: int) -> str:
        return f"{self.prefix}/checkpoints/{iteration:08d}.json"

    def _object(self, digest: str) -> str:
        return f"{self.prefix}/objects/{digest}"


def best_of(manifests: Iterable[Manifest]) -> Manifest | None:
    """The one with the best laps, among equals the later one: it has learned more. None when none has laps."""
    driven = (manifest for manifest in manifests if manifest.lap is not None)
    return max(driven, key=lambda m: (m.rank(), m.iteration), default=None)


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
