"""The process that runs a user's reward function; started by RewardProcess, which describes the conversation.

Its limits are set before the first line of the user's code runs. Nothing here may be trusted from then on: the parent
checks what it gets.
"""

import ctypes  # noqa: F401 -- loaded before the guard stands; numba needs it later
import faulthandler
import json
import os
import random
import signal
import struct
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from kuberacer.die_with_parent import die_with_parent
from kuberacer.errors import UserError
from kuberacer.reward import kernel_limits
from kuberacer.reward.audit import Guard
from kuberacer.reward.output import LimitedOutput
from kuberacer.reward.runner import RewardRunner
from kuberacer.reward.samples import sample_states
from kuberacer.reward.shared import map_block
from kuberacer.reward.source import RewardSource

RUN, COMPILE, DONE, MESSAGE = b"r", b"c", b"k", b"m"


@dataclass(frozen=True)
class Road:
    """A track as rewards know it."""

    width: float
    length: float
    waypoints: tuple[tuple[float, float], ...]


def main(commands: int, answers: int, block: int, dump: int) -> None:
    """The four are inherited file descriptors: commands in, answers out, shared memory, tracebacks of stuck threads."""
    die_with_parent()
    settings = json.loads(_read(commands, struct.unpack("I", _read(commands, 4))[0]))
    road = Road(settings["width"], settings["length"], tuple(map(tuple, settings["waypoints"])))
    values, rewards = map_block(block, road, settings["cars"], settings["objects"])
    faulthandler.enable(dump)
    faulthandler.register(signal.SIGUSR1, dump, all_threads=False)
    output = LimitedOutput(strict=settings["strict_output"])
    sys.stdout = sys.stderr = output  # type: ignore[assignment]
    sys.path += settings["extra_paths"]
    readable = [*settings["extra_paths"], *filter(None, sys.path), sys.prefix, sys.base_prefix]
    readable += [*kernel_limits.SYSTEM_FILES, str(Path(__file__).parents[2])]
    guard = Guard(readable)
    imports = settings["imports"]
    source = RewardSource(settings["text"], settings["name"], None if imports is None else frozenset(imports))
    random.seed(settings["seed"])
    np.random.seed(settings["seed"])
    os._exit = _refuse_exit  # type: ignore[assignment]
    limits = _set_limits(settings, readable)
    os.write(answers, DONE)  # from here on the time is the user's
    try:
        with guard:
            runner = RewardRunner(source, road, settings["cars"], settings["objects"])
    except UserError as error:
        return _answer(answers, output, error=error)
    _answer(answers, output, limits=limits)
    while command := os.read(commands, 1):
        fault: UserError | None = None
        if command == COMPILE:
            runner.compile(sample_states(road, settings["cars"], settings["objects"]), guard)
        else:
            try:
                with guard:
                    rewards[:] = runner(values)
            except UserError as found:
                fault = found
        if command == RUN and fault is None and not output.waiting:
            os.write(answers, DONE)
        else:
            _answer(answers, output, error=fault, path=runner.path, why_plain=runner.why_plain)


def _set_limits(settings: dict, readable: list[str]) -> list[str]:
    """Names of the limits that hold."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)
    limits = {
        "memory": kernel_limits.limit_resources(settings["memory_mib"], settings["cpu_s"]),
        "files": kernel_limits.limit_files(readable),
        "system calls": kernel_limits.limit_system_calls(),
    }
    return [name for name, held in limits.items() if held]


def _answer(descriptor: int, output: LimitedOutput, error: UserError | None = None, **facts: object) -> None:
    fault = [error.cause, error.remedy] if error else None
    data = json.dumps({**facts, "error": fault, "output": output.take()}).encode()
    data = MESSAGE + struct.pack("I", len(data)) + data
    while data:
        data = data[os.write(descriptor, data) :]


def _read(descriptor: int, size: int) -> bytes:
    data = b""
    while len(data) < size:
        part = os.read(descriptor, size - len(data))
        if not part:
            raise SystemExit
        data += part
    return data


def _refuse_exit(status: int = 0) -> None:
    raise SystemExit(f"os._exit({status})")
