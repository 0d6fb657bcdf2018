"""One container step: remembered from before, or run as a process."""

import errno
import os
import re
import shutil
import signal
import tempfile
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kuberacer.errors import UserError
from kuberacer.run.local.cache import Outputs, TaskCache, task_key
from kuberacer.run.local.command import CommandLine, Places
from kuberacer.run.local.environments import Environment, Environments
from kuberacer.run.local.process import Ended, run_process
from kuberacer.run.spec.model import Component, Container, Task
from kuberacer.run.spec.text import RunField

if TYPE_CHECKING:
    from kuberacer.run.local.runner import Observer

# Settings of kfp-kubernetes that say where and how a pod runs, not what the step sees.
_WITHOUT_EFFECT = {
    "nodeSelector",
    "tolerations",
    "imagePullSecret",
    "imagePullPolicy",
    "podMetadata",
    "nodeAffinity",
    "podAffinity",
    "securityContext",
    "enabledSharedMemory",
    "secretAsEnv",  # the runner brings the store's settings; others come from this process's environment
}
_FULL = re.compile(r"No space left on device|Disk quota exceeded")


class TaskFailed(UserError):
    """A step ended with a status other than 0."""

    def __init__(self, path: str, cause: str, remedy: str):
        super().__init__(cause, remedy)
        self.path = path


@dataclass
class Step:
    environments: Environments
    cache: TaskCache
    logs: Path
    observer: "Observer"
    extra_environment: Mapping[str, str]
    also: str
    go_on: str

    async def run(
        self,
        task: Task,
        component: Component,
        container: Container,
        inputs: Mapping[str, Any],
        path: str,
        run: Mapping[RunField, str],
    ) -> Outputs:
        """The step's outputs. Raises TaskFailed when it fails, UserError when it cannot be started."""
        for setting in container.kubernetes.keys() - _WITHOUT_EFFECT:
            raise UserError(f"{path}: {setting} cannot be had in a local run", "run this pipeline on a cluster")
        line = CommandLine(component, inputs, Places(self.cache.folder), run)
        environment = self.environments.of(line.text(container.image))
        key = task_key(component, container, line, environment, self.also) if task.cache else uuid.uuid4().hex
        self.observer.started(path)
        outputs = self.cache.find(key, component)
        cached = outputs is not None
        if outputs is None:
            try:
                outputs = await self._process(component, container, line, environment, path, key)
            except UserError as error:
                self.observer.failed(path, error)
                raise
        self.observer.ended(path, outputs, cached)
        return outputs

    async def _process(
        self,
        component: Component,
        container: Container,
        line: CommandLine,
        environment: Environment,
        path: str,
        key: str,
    ) -> Outputs:
        log = self.logs / f"{path.replace('-', '_')}.log"
        scratch = self.cache.scratch()
        temporary = Path(tempfile.mkdtemp(prefix="kuberacer-"))  # a short path: sockets may lie in it
        try:
            line = CommandLine(component, line.inputs, Places(scratch), line.run)
            for folder in ("artifacts", "parameters", "work"):
                (scratch / folder).mkdir()
            arguments = line.arguments((*container.command, *container.args))
            if Path(arguments[0]).name in ("python", "python3"):
                arguments[0] = str(environment.python)
            ended = await run_process(
                arguments,
                self._variables(container, environment, temporary),
                scratch / "work",
                log,
                lambda text: self.observer.printed(path, text),
            )
            if ended.status != 0:
                raise _failure(path, ended, log, self.go_on)
            shutil.rmtree(scratch / "work")
            return self.cache.keep(scratch, key, component)
        except OSError as error:
            raise _cannot_run(path, error, self.go_on) from error
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
            shutil.rmtree(temporary, ignore_errors=True)

    def _variables(self, container: Container, environment: Environment, temporary: Path) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return {
            **inherited,
            "PATH": f"{environment.python.parent}{os.pathsep}{os.environ.get('PATH', '')}",
            "PYTHONUNBUFFERED": "1",
            "TMPDIR": str(temporary),  # what a killed step leaves in it goes with it
            **self.extra_environment,
            **container.env,
        }


def said_at_end(tail: Iterable[str]) -> dict[str, str]:
    """The last `error:` and `remedy:` lines among those that a step printed."""
    said = {}
    for text in tail:
        word, colon, rest = text.partition(": ")
        if colon and word in ("error", "remedy"):
            said[word] = rest.strip()
    return said


def _failure(path: str, ended: Ended, log: Path, go_on: str) -> TaskFailed:
    """The step's own `error:` and `remedy:` lines when it printed them, else what is known of its end."""
    name = log.stem
    said = said_at_end(ended.tail)
    if ended.status < 0:
        number = signal.Signals(-ended.status)
        hint = " (the kernel does that when memory runs out)" if number is signal.SIGKILL else ""
        return TaskFailed(path, f"{name} was killed by {number.name}{hint}", f"{go_on}; its log is {log}")
    if any(_FULL.search(text) for text in ended.tail):
        return TaskFailed(path, f"{name}: no space left on the disk", f"free some space, then {go_on}")
    last = next((text.strip() for text in reversed(ended.tail) if text.strip()), "")
    cause = said.get("error", f"{name} ended with status {ended.status}: {last}".rstrip(": "))
    return TaskFailed(path, cause, said.get("remedy", f"see {log}"))


def _cannot_run(path: str, error: OSError, go_on: str) -> UserError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"{path}: no space left on the disk", f"free some space, then {go_on}")
    return UserError(f"{path} cannot be run: {error}", "see whether the program and the folder are there")
