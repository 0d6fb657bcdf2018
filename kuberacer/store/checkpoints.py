"""Checkpoints in the object store: content-addressed objects, and one manifest written last.

<prefix>/objects/<sha256>: a file's bytes. <prefix>/checkpoints/<iteration, 8 digits>.json: the manifest. There are no
lock files: a reader sees a manifest only when everything in it is there, and a writer killed at any point leaves the
checkpoints before it as they were.
"""

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.store.client import ObjectStore

SCHEMA = 1
_SAFE_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}")


@dataclass(frozen=True)
class Manifest:
    """One checkpoint. files: name -> (sha256, bytes). lap: {completed, seconds, progress} of its deterministic lap."""

    iteration: int
    files: dict[str, tuple[str, int]]
    lap: dict[str, Any]
    schema: int = SCHEMA

    def rank(self) -> tuple[bool, float, float]:
        """Completed laps first, then the shorter time, then the longer way."""
        completed = bool(self.lap["completed"])
        return (completed, -self.lap["seconds"] if completed else 0.0, self.lap["progress"])

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
            return cls(int(data["iteration"]), files, dict(data["lap"]))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{key} is no checkpoint manifest: {error}", "name a run that this version made") from error


class CheckpointStore:
    """The checkpoints of one run. One writer, any number of readers."""

    def __init__(self, store: ObjectStore, prefix: str):
        self.store, self.prefix = store, prefix

    def save(self, folder: Path, iteration: int, lap: dict[str, Any]) -> Manifest:
        """Put the folder's files, those first that are not there yet, the manifest last."""
        files = {}
        for path in sorted(folder.iterdir()):
            digest = file_digest(path)
            files[path.name] = (digest, path.stat().st_size)
            if not self.store.exists(self._object(digest)):
                self.store.put_file(self._object(digest), path)
        manifest = Manifest(iteration, files, lap)
        self.store.put_bytes(self._manifest(iteration), json.dumps(asdict(manifest)).encode(), "application/json")
        return manifest

    def iterations(self) -> list[int]:
        """Of the checkpoints that are there, ascending."""
        names = (key.rsplit("/", 1)[1] for key in self.store.list(f"{self.prefix}/checkpoints/"))
        return sorted(int(name.removesuffix(".json")) for name in names if re.fullmatch(r"\d{8}\.json", name))

    def find(self, which: str | int) -> Manifest | None:
        """The checkpoint "last", "best" or of an iteration; None when there is none."""
        iterations = self.iterations()
        if isinstance(which, int):
            return self._read(which) if which in iterations else None
        if not iterations:
            return None
        if which == "last":
            return self._read(iterations[-1])
        # Among equals the later one: it has learned more.
        return max((self._read(iteration) for iteration in iterations), key=lambda m: (m.rank(), m.iteration))

    def load(self, manifest: Manifest, folder: Path) -> None:
        """Fetch a checkpoint's files, each checked against its digest."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, (digest, _) in manifest.files.items():
            self.store.get_file(self._object(digest), folder / name)
            if file_digest(folder / name) != digest:
                (folder / name).unlink()
                raise UserError(
                    f"checkpoint {manifest.iteration} of {self.prefix}: {name} is damaged in the store",
                    "go on from another checkpoint, and check the store's disk",
                )

    def prune(self, keep: int) -> None:
        """Remove all but the last `keep` checkpoints and the best one. Manifests go first, then what none needs."""
        best = self.find("best")
        if best is None:
            return
        kept = {*self.iterations()[-keep:], best.iteration}
        gone = [iteration for iteration in self.iterations() if iteration not in kept]
        if not gone:
            return
        removed = [self._read(iteration) for iteration in gone]
        needed = {digest for iteration in kept for digest, _ in self._read(iteration).files.values()}
        self.store.delete_all([self._manifest(iteration) for iteration in gone])
        unused = {digest for manifest in removed for digest, _ in manifest.files.values()} - needed
        self.store.delete_all([self._object(digest) for digest in sorted(unused)])

    def _read(self, iteration: int) -> Manifest:
        key = self._manifest(iteration)
        return Manifest.parse(self.store.get_bytes(key), key)

    def _manifest(self, iteration: int) -> str:
        return f"{self.prefix}/checkpoints/{iteration:08d}.json"

    def _object(self, digest: str) -> str:
        return f"{self.prefix}/objects/{digest}"


def file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
