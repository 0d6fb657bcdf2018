"""The pipelines that the local runner and Argo both run; each adds those that only it can."""

from conformance import (
    artifacts,
    conditions,
    exit_handlers,
    loops,
    metadata,
    nested,
    optionals,
    placeholders,
    plain,
    retries,
    texts,
)

MODULES = (
    artifacts,
    conditions,
    exit_handlers,
    loops,
    metadata,
    nested,
    optionals,
    placeholders,
    plain,
    retries,
    texts,
)
