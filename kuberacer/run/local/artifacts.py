"""Artifacts of a local run: files or folders with metadata, told apart by their content."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Artifact:
    name: str
    type: str  # schema title, such as system.Model
    uri: str  # a path of this machine, or the address that an importer was given
    metadata: Mapping[str, Any] = field(default_factory=dict)
    digest: str = ""

    def as_json(self) -> dict[str, Any]:
        """KFP's RuntimeArtifact."""
        return {
            "name": self.name,
            "type": {"schemaTitle": self.type},
            "uri": self.uri,
            "metadata": dict(self.metadata),
        }


def digest_of(path: Path) -> str:
    """sha256 over a file's content, or a folder's relative paths and contents; of nothing, when nothing is there."""
    digest = hashlib.sha256()
    if path.is_dir():
        for folder, folders, names in os.walk(path):
            folders.sort()
            for name in sorted(names):
                file = Path(folder, name)
                digest.update(f"{file.relative_to(path)}\0{_file_digest(file)}\n".encode())
    elif path.exists():
        return _file_digest(path)
    return digest.hexdigest()


def _file_digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
