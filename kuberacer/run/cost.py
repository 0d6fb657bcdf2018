"""`kuberacer cost`: what a run took, stage by stage, and what it cost."""

import contextlib
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.run.prices import EXAMPLE, Prices, cost_of, table
from kuberacer.run.record import RunRecord, Stage, earlier_remote, earlier_stages, read_record
from kuberacer.run.store import external_store
from kuberacer.run.things import folder_size
from kuberacer.took import GIB, line, summed


def cost_lines(folder: Path, prices_file: Path | None) -> list[str]:
    """The lines that tell of a run. Without a price table they tell of hours only. Raises UserError."""
    given = Prices.given(prices_file)
    record = read_record(folder)
    run = RunRecord(folder.name, "", "", 0, earlier=earlier_stages(folder))
    stages = run.all_stages()
    if not stages:
        raise UserError(f"what {folder.name} took is not known", "it was made by an older version; run it again")
    took, remote = summed(stage.took() for stage in stages), earlier_remote(folder)
    lines = [*stage_table(stages), f"took: {line(took)}"]
    if given is None:
        return [*lines, f"no price table: name one with PRICES=file or KUBERACER_PRICES ({EXAMPLE} is an example)"]
    prices, source = given
    stored = stored_bytes(folder, str(record.get("store", "")))
    lines.append(f"cost by {source} (prices of {prices.date}):")
    lines += table(cost_of(took, prices, remote is not None, stored), prices)
    if stored is None:
        lines.append("not priced: storage, the store cannot be reached from here")
    return lines


def stage_table(stages: list[Stage]) -> list[str]:
    header = ["stage", "attempts", "seconds", "core-hours", "of pods", "GiB at most"]
    rows = [header]
    for stage in stages:
        took = stage.took()
        held = f"{took.held.core_s / 3600:.4f}" if took.held.pods else ""
        rows.append(
            [stage.name, str(len(stage.attempts)), f"{took.wall_s:.1f}", f"{took.cpu_s / 3600:.4f}", held,
             f"{took.peak_bytes / GIB:.2f}"]
        )  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    return [
        "  ".join(
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]


def stored_bytes(folder: Path, used: str) -> float | None:
    """What a run keeps in its store; None where that store cannot be asked now."""
    remote = earlier_remote(folder)
    with contextlib.suppress(UserError):
        if remote is not None:
            from kuberacer.run.remote.cluster import Cluster  # slow to import
            from kuberacer.run.remote.stores import runs_store

            with runs_store(Cluster(), remote.namespace) as store:
                return float(sum(entry.size for entry in store.entries(f"{folder.name}/")))
        if (folder / ".store").exists():
            return float(folder_size(folder / ".store")[1])
        named, identity = external_store()
        if named is not None and used in ("", identity):
            return float(sum(entry.size for entry in named.entries(f"{folder.name}/")))
    return None
