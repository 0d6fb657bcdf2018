"""One real S3 server for all tests of the store."""

from tests.seaweed import settings, store  # noqa: F401
