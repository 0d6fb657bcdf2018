"""Where numba keeps compiled kernels, and when it compiles them anew.

The simulator's kernels lie in the files *_kernels.py and call each other across them. numba's own cache looks for a
change in the file of the entry point alone and would go on with stale code after one elsewhere. The entry points are
therefore compiled by `kernel`, whose cache looks at all kernel files that theirs imports; these import nothing else of
ours.

An image carries its kernels on a file system that nobody can write ($KUBERACER_KERNELS). For a processor without
compiled kernels there, or for source files that are not the image's, numba compiles once more and keeps the result in
the folder of $NUMBA_CACHE_DIR.
"""

import functools
import hashlib
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from numba import config, njit
from numba.core.caching import InTreeCacheLocator, UserProvidedCacheLocator, UserWideCacheLocator

from kuberacer.sim.kernel_target import CPU, FOLDER

IMPORT = re.compile(r"^from (?:[\w.]+\.)?(\w+_kernels) import ", re.MULTILINE)


@functools.cache
def sources_digest(path: Path) -> str:
    """Of a kernel file and of all the kernel files beside it that it imports, directly or not."""
    found, pending = {path.name: path.read_bytes()}, [path]
    while pending:
        for name in IMPORT.findall(found[pending.pop().name].decode()):
            other = path.with_name(f"{name}.py")
            if other.name not in found and other.is_file():
                found[other.name] = other.read_bytes()
                pending.append(other)
    digest = hashlib.sha256()
    for name, text in sorted(found.items()):
        digest.update(name.encode() + b"\0" + hashlib.sha256(text).digest())
    return digest.hexdigest()


class _AllSources:
    """A cache entry is stale when any of the kernel files that it was compiled from has changed."""

    _py_file: str

    def get_source_stamp(self) -> str:
        return sources_digest(Path(self._py_file))


class ImageCacheLocator(_AllSources, UserProvidedCacheLocator):
    """<$KUBERACER_KERNELS>/<processor>/<module>-<digest of the sources>: found by content, wherever the source lies."""

    def __init__(self, py_func, py_file):
        super().__init__(py_func, py_file)
        path = Path(py_file)
        name = f"{path.stem}-{sources_digest(path)[:16]}"
        self._cache_path = str(Path(os.environ[FOLDER]) / os.environ[CPU] / name)

    def ensure_cache_path(self):
        """Asks for a folder with kernels, or for one that can be written (while the image is built)."""
        if not any(Path(self._cache_path).glob("*.nbi")):
            super().ensure_cache_path()

    @classmethod
    def from_function(cls, py_func, py_file):
        if not os.environ.get(FOLDER) or not os.environ.get(CPU) or not os.path.isfile(py_file):
            return None
        locator = cls(py_func, py_file)
        try:
            locator.ensure_cache_path()
        except OSError:
            return None
        return locator


class FolderCacheLocator(_AllSources, UserProvidedCacheLocator):
    """In the folder of $NUMBA_CACHE_DIR."""


class TreeCacheLocator(_AllSources, InTreeCacheLocator):
    """In __pycache__ beside the source."""


class HomeCacheLocator(_AllSources, UserWideCacheLocator):
    """In the user's cache."""


KERNELS: list[Any] = []  # the entry points that are compiled
LOCATORS = (ImageCacheLocator, FolderCacheLocator, TreeCacheLocator, HomeCacheLocator)


def kernel(signature: Any, **options: Any) -> Callable[[Callable[..., None]], Any]:
    """Compile an entry point for its signature, or take it from the cache. It runs without the interpreter's lock."""

    def compiled(function: Callable[..., None]) -> Any:
        settings: Any = config  # which makes its attributes at run time
        before = settings.CACHE_LOCATOR_CLASSES
        settings.CACHE_LOCATOR_CLASSES = ",".join(f"{__name__}.{locator.__name__}" for locator in LOCATORS)
        try:
            entry = njit(signature, nogil=True, cache=True, **options)(function)
        finally:
            settings.CACHE_LOCATOR_CLASSES = before
        KERNELS.append(entry)
        return entry

    return compiled
