"""A disk that is full while a step runs: /dev/full refuses what is written to it, as a full disk does."""

import asyncio
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from kfp import dsl

from kuberacer.errors import UserError
from kuberacer.run.compile import compile_to_text
from kuberacer.run.local import Environments, LocalRunner
from kuberacer.run.local.cache import TaskCache
from kuberacer.run.spec import read_pipeline

pytestmark = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no /dev/full")


@dsl.container_component
def writer(path: str):
    """Writes more than a buffer to a file."""
    program = "import sys; file = open(sys.argv[1], 'wb', 0); print('begins', flush=True); file.write(bytes(1000))"
    return dsl.ContainerSpec(image="python", command=["python", "-c", program], args=[path])


@dsl.pipeline(name="writes")
def writes(path: str):
    writer(path=path)


class Silent:
    def started(self, path: str) -> None: ...

    def printed(self, path: str, line: str) -> None: ...

    def ended(self, path: str, outputs: Mapping[str, Any], cached: bool) -> None: ...

    def failed(self, path: str, error: UserError) -> None: ...


def fault(folder: Path, path: str) -> UserError:
    runner = LocalRunner(
        pipeline=read_pipeline(compile_to_text(writes)),
        environments=Environments(interpreters={"python": Path(sys.executable)}),
        cache=TaskCache(folder / "cache"),
        logs=folder / "logs",
        run_name="test",
        observer=Silent(),
    )
    with pytest.raises(UserError) as caught:
        asyncio.run(runner.run({"path": path}))
    return caught.value


def test_a_step_that_finds_the_disk_full_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    said = fault(tmp_path, "/dev/full")
    assert said.cause == "writer: no space left on the disk"
    assert said.remedy.startswith("free some space, then ")


def test_a_log_that_cannot_be_written_is_told_so(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "writer.log").symlink_to("/dev/full")
    said = fault(tmp_path, str(tmp_path / "file"))
    assert said.cause == "writer: no space left on the disk"
    assert said.remedy.startswith("free some space, then ")
