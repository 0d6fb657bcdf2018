"""One real S3 server for all tests of the store."""

from collections.abc import Iterator

import hypothesis
import pytest

from kuberacer.settings import StoreSettings
from kuberacer.store.client import ObjectStore
from kuberacer.store.server import SeaweedServer

# A busy machine is no fault of the code.
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    with SeaweedServer(tmp_path_factory.mktemp("seaweed")) as server:
        assert server.settings is not None
        yield server.settings


@pytest.fixture
def store(settings: StoreSettings) -> ObjectStore:
    """The server's bucket, empty."""
    store = ObjectStore(settings)
    store.delete_all(list(store.list()))
    return store
