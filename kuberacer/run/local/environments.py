"""Which environment of this machine stands for which image: .envs/<name> for …/<name>:<tag>, both from one lock."""

import hashlib
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import kuberacer
from kuberacer.errors import UserError


@dataclass(frozen=True)
class Environment:
    python: Path
    digest: str  # of everything that a step in it may import


@dataclass
class Environments:
    """folder: where the environments lie; interpreters: Python of images that have no environment there, by name."""

    folder: Path = field(default_factory=lambda: Path(sys.prefix).parent)
    interpreters: Mapping[str, Path] = field(default_factory=dict)

    def of(self, image: str) -> Environment:
        """Raises UserError when there is none for the image."""
        name = image_name(image)
        python = self.interpreters.get(name, self.folder / name / "bin" / "python")
        if not python.exists():
            raise UserError(
                f"there is no local environment for the image {image}: {self.folder / name} does not exist",
                "run `make setup`" if name == "race" else f"run `make {self.folder.name}/{name}/.ready`",
            )
        return Environment(python, hashlib.sha256(f"{self._lock(name)}{self._library}".encode()).hexdigest())

    def _lock(self, name: str) -> str:
        locks = self.folder.parent / "images" / name
        return "".join(path.read_text("utf-8") for path in sorted(locks.glob("*.lock")))

    @cached_property
    def _library(self) -> str:
        """Digest of the library as steps see it: everything but the user's side and the servers."""
        package = Path(kuberacer.__file__).parent
        digest = hashlib.sha256()
        for path in sorted(package.rglob("*")):
            parts = path.relative_to(package).parts
            if path.is_file() and parts[0] not in ("run", "watch", "serve") and "__pycache__" not in parts:
                digest.update(f"{'/'.join(parts)}\0".encode() + path.read_bytes() + b"\0")
        return digest.hexdigest()


def image_name(image: str) -> str:
    """`race` of registry.example:5000/kuberacer/race:0.1.0@sha256:…"""
    return re.sub(r"[:@].*$", "", image.rpartition("/")[2])
