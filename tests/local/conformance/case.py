"""What a conformance pipeline is run with and what must come out."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

IMAGE = os.environ.get("CONFORMANCE_IMAGE", "docker.io/library/python:3.12-slim")


@dataclass(frozen=True)
class Case:
    """One run of one pipeline.

    outputs: for each step that must run, by its task's name, the outputs of each of its executions in any order (a
    loop runs a step many times): parameters as values, file artifacts as text, directories as {relative path: text},
    Metrics as their metadata. Steps that are not listed must not run. A step that fails is listed in `failed`.
    """

    name: str
    pipeline: Callable[..., Any]
    outputs: dict[str, list[dict[str, Any]]]
    arguments: dict[str, Any] = field(default_factory=dict)
    failed: tuple[str, ...] = ()
