"""What stages take: processor seconds, memory, GPUs, and what their pods were given.

A stage's process says it when it ends: as one line (`took: {…}`), which the command that follows the run reads on every
engine, and as a file where the pipeline asks for one (`--usage`).
"""

import contextlib
import json
import math
import os
import re
import resource
import sys
import time
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

PREFIX = "took: "
MOST_BYTES = 1 << 16  # of a line: it comes from a program that runs other people's code
_GPU_DEVICE = re.compile(r"/dev/nvidia\d+")
_IMPORTED = time.time()


@dataclass(frozen=True)
class Held:
    """What pods were given, used or not: what they asked for × how long they had it. Adds up.

    gpu_s: by the GPU's kind.
    """

    pods: int = 0
    core_s: float = 0.0
    byte_s: float = 0.0
    gpu_s: dict[str, float] = field(default_factory=dict)

    def __add__(self, other: "Held") -> "Held":
        gpus = {kind: self.gpu_s.get(kind, 0.0) + other.gpu_s.get(kind, 0.0) for kind in {*self.gpu_s, *other.gpu_s}}
        return Held(self.pods + other.pods, self.core_s + other.core_s, self.byte_s + other.byte_s, gpus)

    @classmethod
    def of(cls, seconds: float, cores: float, memory_bytes: float, gpus: dict[str, float] | None = None) -> Self:
        """One pod's. A clock that was set back does not make it negative."""
        seconds = max(0.0, seconds)
        return cls(1, cores * seconds, memory_bytes * seconds, {k: n * seconds for k, n in (gpus or {}).items() if n})

    @classmethod
    def parse(cls, found: Any) -> Self:
        """Raises ValueError, TypeError or KeyError for what is none."""
        gpus = {str(kind)[:100]: amount(seconds) for kind, seconds in dict(found["gpu_s"]).items()}
        return cls(int(amount(found["pods"])), amount(found["core_s"]), amount(found["byte_s"]), gpus)


@dataclass(frozen=True)
class Usage:
    """One attempt at a stage: a process with its children.

    id: tells attempts apart. began, ended: seconds since the epoch. cpu_s: processor seconds, user's and system's, of
    the process, its children, and the rollout workers that it heard of. peak_bytes: the largest resident memory of one
    of them. cores: that it may run on. gpus: the models of those that it had open. rollouts: the pods of its workers.
    """

    stage: str
    id: str
    began: float
    ended: float
    cpu_s: float
    peak_bytes: int = 0
    cores: int = 0
    gpus: tuple[str, ...] = ()
    rollouts: Held = field(default_factory=Held)

    @property
    def wall_s(self) -> float:
        return max(0.0, self.ended - self.began)

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises ValueError for what is none."""
        if len(text) > MOST_BYTES:
            raise ValueError(f"{len(text)} bytes")
        try:
            return cls.read(json.loads(text))
        except (KeyError, TypeError, AttributeError, RecursionError, OverflowError) as error:
            raise ValueError(f"no usage: {error}") from None

    @classmethod
    def read(cls, found: Any) -> Self:
        """Of the parsed JSON. Raises ValueError, TypeError or KeyError for what is none."""
        return cls(
            stage=str(found["stage"])[:100],
            id=str(found["id"])[:100],
            began=amount(found["began"]),
            ended=amount(found["ended"]),
            cpu_s=amount(found["cpu_s"]),
            peak_bytes=int(amount(found["peak_bytes"])),
            cores=int(amount(found["cores"])),
            gpus=tuple(str(kind)[:100] for kind in found["gpus"]),
            rollouts=Held.parse(found["rollouts"]),
        )


def amount(value: Any) -> float:
    """A number that is finite and not negative. Raises ValueError or TypeError for all else."""
    if isinstance(value, bool | str) or not 0 <= value < 1e18:
        raise ValueError(f"{value!r:.40} is no amount")
    return float(value)


class Meter:
    """Of this process."""

    def __init__(self) -> None:
        self.id = uuid.uuid4().hex
        self.place: Path | None = None  # where the pipeline wants it to be written
        self._rollouts, self._rollouts_cpu_s = Held(), 0.0

    def add_rollouts(self, held: Held, cpu_s: float) -> None:
        """Rollout workers that are no children of this process, and the processor seconds that they told of."""
        self._rollouts += held
        self._rollouts_cpu_s += cpu_s

    def read(self, stage: str) -> Usage:
        children = resource.getrusage(resource.RUSAGE_CHILDREN)
        unit = 1 if sys.platform == "darwin" else 1024
        return Usage(
            stage=stage,
            id=self.id,
            began=round(process_began(), 3),
            ended=round(time.time(), 3),
            cpu_s=round(processor_seconds() + self._rollouts_cpu_s, 3),
            peak_bytes=max(own_peak_bytes(), children.ru_maxrss * unit),
            cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
            gpus=gpus_open(),
            rollouts=self._rollouts,
        )

    def tell(self) -> None:
        """Print what this process took, and write it, where it is a pipeline's stage. Never fails it."""
        if self.place is None:
            return
        with contextlib.suppress(OSError, ValueError):
            text = self.read(stage_of(sys.argv[0])).to_json()
            print(PREFIX + text, flush=True)
            self.place.parent.mkdir(parents=True, exist_ok=True)
            self.place.write_text(text + "\n", encoding="utf-8")


METER = Meter()


def stage_of(program: str) -> str:
    """`train` of …/kuberacer/stages/train.py."""
    return Path(program).stem


def process_began() -> float:
    """When this process was started, in seconds since the epoch; its imports alone may take seconds."""
    with contextlib.suppress(OSError, ValueError, IndexError, AttributeError):
        ticks = int(_stat("self")[19])
        return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")
    return _IMPORTED


def processor_seconds() -> float:
    """User's and system's, of this process and of its children, those that still run included."""
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    times = time.process_time() + ended.ru_utime + ended.ru_stime
    return times + sum(_tree_seconds(child) for child in _children("self"))


def _tree_seconds(process: str) -> float:
    """Of a process, of its children that have ended (fields 14 to 17 of proc(5)'s stat) and of those that run."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        own = sum(int(ticks) for ticks in _stat(process)[11:15]) / os.sysconf("SC_CLK_TCK")
        return own + sum(_tree_seconds(child) for child in _children(process))
    return 0.0


def _children(process: str) -> list[str]:
    found: list[str] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            with contextlib.suppress(OSError):
                found += (task / "children").read_text().split()
    return found


def _stat(process: str) -> list[str]:
    """The fields of /proc/<process>/stat from the third on: the second, a name, may hold anything."""
    return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()


def own_peak_bytes() -> int:
    """Of this program alone: ru_maxrss would begin with what the parent had when it started it."""
    with contextlib.suppress(OSError):
        found = re.search(r"VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text())
        if found:
            return int(found[1]) * 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def gpus_open() -> tuple[str, ...]:
    """Models of the NVIDIA GPUs that this process has open: CUDA keeps them until it ends."""
    names = set()
    with contextlib.suppress(OSError):
        for entry in Path("/proc/self/fd").iterdir():
            with contextlib.suppress(OSError):
                names.add(os.readlink(entry))
    devices = sorted(name for name in names if _GPU_DEVICE.fullmatch(name))
    models = sorted(gpu_models())
    return tuple(models[i] if i < len(models) else "GPU" for i in range(len(devices)))


def gpu_models() -> list[str]:
    """Of the machine's NVIDIA GPUs, as their driver names them (/proc/driver/nvidia/gpus/*/information)."""
    found = []
    for place in Path("/proc/driver/nvidia/gpus").glob("*/information"):
        with contextlib.suppress(OSError):
            model = re.search(r"Model:\s*(.+)", place.read_text())
            found.append(model[1].strip() if model else "GPU")
    return found


def covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds in at least one of the spans (began, ended): attempts may overlap, as when a killed one still ends."""
    total, until = 0.0, -math.inf
    for began, ended in sorted(spans):
        total += max(0.0, ended - max(began, until))
        until = max(until, ended)
    return total
