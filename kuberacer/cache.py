"""Where things are kept that can be made again."""

import os
import tempfile
from pathlib import Path

from kuberacer.errors import UserError


def cache_folder() -> Path:
    """$KUBERACER_CACHE, else the user's cache folder, else one for temporary files where there is no writable home."""
    given = os.environ.get("KUBERACER_CACHE")
    folder = Path(given or os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = folder if given else folder / "kuberacer"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError as error:
        if given:
            remedy = "set KUBERACER_CACHE to a folder that can be written, on a disk with space"
            raise UserError(f"the cache folder {folder} cannot be used: {error.strerror}", remedy) from None
    folder = Path(tempfile.gettempdir()) / f"kuberacer-{os.getuid()}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder
