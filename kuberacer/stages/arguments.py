"""The stages' command lines: one way to say what a stage takes, with an example."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from kuberacer.usage import METER


class StageParser(argparse.ArgumentParser):
    """A stage with --run has --job, too: what the pipeline's engine calls the run, for runs without a name."""

    named = False

    def add_argument(self, *names: Any, **options: Any) -> argparse.Action:
        if names[0] == "--run":
            self.named = True
            super().add_argument("--job", default="", help="what the engine calls the run; its name without --run")
        return super().add_argument(*names, **options)

    def parse_known_args(  # type: ignore[override]
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        options, rest = super().parse_known_args(args, namespace)
        METER.place = options.usage
        if self.named:
            options.run = run_name(options.run, options.job)
        return options, rest


def run_name(run: str, job: str) -> str:
    """The name of a run: the one that was given, else the engine's.

    Kubeflow Pipelines 2.0 hands the placeholder of its own name over as it is; its pods' names begin with that name.
    """
    if run or not job:
        return run
    if not job.startswith("{{$."):
        return job
    return os.environ.get("KFP_POD_NAME", "").rpartition("-system-container-impl-")[0] or "unnamed"


def stage_parser(stage: str, description: str, example: str) -> argparse.ArgumentParser:
    """A parser whose --help ends with an example of the whole command."""
    parser = StageParser(
        prog=f"python -m kuberacer.stages.{stage}",
        description=description,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--usage", type=Path, metavar="OUTPUT", help="JSON: what this stage took (kuberacer/usage.py)")
    return parser
