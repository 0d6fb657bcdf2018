"""What a stage or a run took: its attempts and its pods, added up."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from kuberacer.usage import Held, Usage, amount, covered

GIB = float(1 << 30)


@dataclass(frozen=True)
class PodTime:
    """A stage's pod: what it asked for, and when it had it (seconds since the epoch). gpus: of the resource `gpu`."""

    uid: str
    began: float
    ended: float
    cores: float
    memory_bytes: float
    gpus: int = 0
    gpu: str = ""

    def held(self, model: str = "") -> Held:
        """model: of its GPUs, where it is known; a node's resource says only whose they are."""
        gpus = {model or self.gpu: float(self.gpus)} if self.gpus else {}
        return Held.of(self.ended - self.began, self.cores, self.memory_bytes, gpus)

    @classmethod
    def read(cls, found: Any) -> "PodTime":
        """Of the parsed JSON. Raises ValueError, TypeError or KeyError for what is none."""
        numbers = {name: amount(found[name]) for name in ("began", "ended", "cores", "memory_bytes")}
        return cls(str(found["uid"])[:100], **numbers, gpus=int(amount(found["gpus"])), gpu=str(found["gpu"])[:100])


@dataclass(frozen=True)
class Took:
    """Of a stage or of a run. Adds up, but for wall_s and peak_bytes.

    wall_s: in which at least one attempt or pod was there. cpu_s: used. held: asked for and paid for, on a cluster.
    gpu_s: for which processes had GPUs open, by model.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    peak_bytes: int = 0
    gpu_s: dict[str, float] = field(default_factory=dict)
    held: Held = field(default_factory=Held)
    spans: tuple[tuple[float, float], ...] = ()

    @classmethod
    def of(cls, attempts: Iterable[Usage], pods: Iterable[PodTime] = ()) -> "Took":
        """Attempts and pods that are told of twice, as when a run is followed again, count once."""
        attempts = list({attempt.id: attempt for attempt in attempts}.values())
        pods = list({pod.uid: pod for pod in pods}.values())
        models = {model for attempt in attempts for model in attempt.gpus}
        model = models.pop() if len(models) == 1 else ""
        gpu_s: dict[str, float] = {}
        for attempt in attempts:
            for kind in attempt.gpus:
                gpu_s[kind] = gpu_s.get(kind, 0.0) + attempt.wall_s
        held = Held()
        for each in [*(pod.held(model) for pod in pods), *(attempt.rollouts for attempt in attempts)]:
            held += each
        spans = tuple([(each.began, each.ended) for each in attempts] + [(each.began, each.ended) for each in pods])
        return cls(
            covered(spans),
            sum(attempt.cpu_s for attempt in attempts),
            max((attempt.peak_bytes for attempt in attempts), default=0),
            gpu_s,
            held,
            spans,
        )

    def __add__(self, other: "Took") -> "Took":
        spans = (*self.spans, *other.spans)
        kinds = {*self.gpu_s, *other.gpu_s}
        return Took(
            covered(spans),
            self.cpu_s + other.cpu_s,
            max(self.peak_bytes, other.peak_bytes),
            {kind: self.gpu_s.get(kind, 0.0) + other.gpu_s.get(kind, 0.0) for kind in kinds},
            self.held + other.held,
            spans,
        )

    def figures(self) -> dict[str, Any]:
        """For run.json and for people: hours and GiB."""
        return {
            "wall_s": round(self.wall_s, 2),
            "core_hours_used": round(self.cpu_s / 3600, 5),
            "peak_gib": round(self.peak_bytes / GIB, 3),
            "gpu_hours_open": {kind: round(seconds / 3600, 5) for kind, seconds in sorted(self.gpu_s.items())},
            "pods": self.held.pods,
            "core_hours_held": round(self.held.core_s / 3600, 5),
            "gib_hours_held": round(self.held.byte_s / GIB / 3600, 5),
            "gpu_hours_held": {kind: round(seconds / 3600, 5) for kind, seconds in sorted(self.held.gpu_s.items())},
        }


def summed(parts: Iterable[Took]) -> Took:
    total = Took()
    for part in parts:
        total += part
    return total


def line(took: Took) -> str:
    """`0.067 core-hours used, 2.3 GiB at most` and what was held on a cluster."""
    parts = [f"{took.cpu_s / 3600:.3f} core-hours used, {took.peak_bytes / GIB:.1f} GiB at most"]
    parts += [f"{seconds / 3600:.3f} GPU-hours of {kind}" for kind, seconds in sorted(took.gpu_s.items())]
    if took.held.pods:
        held = took.held
        parts.append(
            f"{held.pods} pods had {held.core_s / 3600:.3f} core-hours and {held.byte_s / GIB / 3600:.3f} GiB-hours"
        )
        parts += [f"{seconds / 3600:.3f} GPU-hours ({kind})" for kind, seconds in sorted(held.gpu_s.items())]
    return ", ".join(parts)
