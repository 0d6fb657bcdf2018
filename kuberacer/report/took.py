"""What a run took until it was published, for the model card and the report."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from kuberacer.took import Took, summed
from kuberacer.usage import METER, Usage

HEADER = ["stage", "seconds", "core-hours", "memory at most", "GPU-hours", "pods of workers"]


def took(paths: Iterable[Path]) -> dict[str, Any]:
    """{stages: {name: figures}, total: figures}. paths: what the stages before this one wrote.

    What does not read as a usage is left out: a figure of this kind is no reason not to publish.
    """
    stages: dict[str, Took] = {}
    for usage in [*_read(paths), METER.read("publish")]:
        stages[usage.stage] = stages.get(usage.stage, Took()) + Took.of([usage])
    total = summed(stages.values())
    return {"stages": {name: each.figures() for name, each in stages.items()}, "total": total.figures()}


def _read(paths: Iterable[Path]) -> Iterable[Usage]:
    for path in paths:
        try:
            yield Usage.parse(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            print(f"{path} does not say what its stage took: {error}", flush=True)


def table(found: dict[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    """(title, header, rows) of the report's section."""
    rows = [_row(name, figures) for name, figures in found["stages"].items()]
    return "What it took, until it was published", HEADER, [*rows, _row("all", found["total"])]


def _row(name: str, figures: dict[str, Any]) -> list[str]:
    gpus = sum(figures["gpu_hours_open"].values()) + sum(figures["gpu_hours_held"].values())
    return [
        name,
        f"{figures['wall_s']:.1f}",
        f"{figures['core_hours_used']:.4f}",
        f"{figures['peak_gib']:.2f} GiB",
        f"{gpus:.4f}" if gpus else "",
        f"{figures['pods']}, {figures['core_hours_held']:.3f} core-hours asked for" if figures["pods"] else "",
    ]
