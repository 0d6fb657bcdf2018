"""A real object store for tests in the stages' environment: its program is in that of the user's side."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kuberacer.settings import StoreSettings
from kuberacer.store.server import SeaweedServer


@contextmanager
def seaweed(folder: Path) -> Iterator[StoreSettings]:
    before = os.environ["PATH"]
    os.environ["PATH"] = f"{Path(sys.prefix).parent / 'tools' / 'bin'}{os.pathsep}{before}"
    try:
        with SeaweedServer(folder) as server:
            assert server.settings is not None
            yield server.settings
    finally:
        os.environ["PATH"] = before
