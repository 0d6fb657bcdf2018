"""Where numba finds an image's compiled kernels, which lie on a file system that nobody can write.

numba's own places are usable only where it can write a file. The image sets NUMBA_CACHE_LOCATOR_CLASSES to the class
here, with numba's place in the home folder behind it: for a processor without compiled kernels, or for a source file
that is not the image's, numba then compiles once more and keeps the result there.
"""

import hashlib
import os
from pathlib import Path

from numba.core.caching import UserProvidedCacheLocator

from kuberacer.sim.kernel_target import CPU, FOLDER


class ImageCacheLocator(UserProvidedCacheLocator):
    """<$KUBERACER_KERNELS>/<processor>/<module>-<digest of its source>: found by content, wherever the source lies."""

    def __init__(self, py_func, py_file):
        super().__init__(py_func, py_file)
        digest = hashlib.sha256(Path(py_file).read_bytes()).hexdigest()[:16]
        folder = Path(os.environ[FOLDER]) / os.environ[CPU] / f"{Path(py_file).stem}-{digest}"
        self._cache_path = str(folder)

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
