"""A real object store for tests. Its program is in the environment of the user's side, for whichever runs them."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore
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


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    with seaweed(tmp_path_factory.mktemp("seaweed")) as settings:
        yield settings


@pytest.fixture
def store(settings: StoreSettings) -> ObjectStore:
    """The server's bucket, empty."""
    store = ObjectStore(settings)
    store.delete_all(list(store.list()))
    return store
