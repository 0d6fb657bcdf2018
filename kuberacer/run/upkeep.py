"""The commands that look after runs: what they cost, and how they go."""

from pathlib import Path
from typing import Annotated

import typer

from kuberacer.run.options import Out
from kuberacer.run.record import run_named

Run = Annotated[str, typer.Argument(help="A run: its name, or `latest`.")]


def clean(
    run: Run,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End the run first when it is going on.")] = False,
    keep_results: Annotated[
        bool, typer.Option("--keep-results", help="Remove a run from its cluster only: folder and checkpoints stay.")
    ] = False,
    out: Out = Path("out"),
) -> None:
    """Remove a run with everything of it: its folder, its objects in the store, what it has on a cluster.

    Shows what goes and how large it is, asks, and says what was removed and what remains.
    """
    from kuberacer.run.clean import clean as clean_run

    clean_run(out, run_named(out, run), yes, stop, keep_results)


def prune(
    yes: Annotated[bool, typer.Option("--yes", help="Remove them. Without, it only says which.")] = False,
    newest: Annotated[int | None, typer.Option(min=0, help="Keep so many of the newest (10).")] = None,
    days: Annotated[float | None, typer.Option(min=0, help="Keep what was changed within so many days (30).")] = None,
    best: Annotated[int | None, typer.Option(min=0, help="Keep so many places of every race (1).")] = None,
    published: Annotated[bool | None, typer.Option(help="Keep every run with a model card (no).")] = None,
    out: Out = Path("out"),
) -> None:
    """Remove old runs by a policy: from OUT, and from the bucket that KUBERACER_S3_BUCKET names.

    What is not given here is taken from KUBERACER_KEEP_NEWEST, _DAYS, _BEST and _PUBLISHED.
    """
    import os

    from kuberacer.retention import Policy
    from kuberacer.run.prune import prune as prune_runs

    given = {"NEWEST": newest, "DAYS": days, "BEST": best, "PUBLISHED": None if published is None else int(published)}
    os.environ |= {f"KUBERACER_KEEP_{name}": str(value) for name, value in given.items() if value is not None}
    prune_runs(out, Policy.from_environment(), yes)


def cost(
    run: Run,
    prices: Annotated[Path | None, typer.Option(help="Price table (YAML). Default: that of KUBERACER_PRICES.")] = None,
    out: Out = Path("out"),
) -> None:
    """Say what a run took, stage by stage, and with a price table what it cost."""
    from kuberacer.run.cost import cost_lines

    print("\n".join(cost_lines(out / run_named(out, run), prices)))


def add_to(app: typer.Typer) -> None:
    app.command(epilog="Example: kuberacer clean kidney-20260301-101500")(clean)
    app.command(epilog="Example: kuberacer prune --newest 5 --days 14")(prune)
    app.command(epilog="Example: kuberacer cost latest --prices docs/prices.example.yaml")(cost)
