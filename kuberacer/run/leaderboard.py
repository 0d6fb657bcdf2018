"""The leaderboard. It is made in the stages' environment, so a process there is asked."""

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.run.local import Environments
from kuberacer.store.client import ObjectStore


def make_leaderboard(out: Path, name: str, of_folder: bool = False) -> list[str]:
    """The lines that tell of it; leaderboard.json and leaderboard.html are written into out/leaderboard.

    of_folder: of the runs in `out`, also where a bucket is named.
    """
    command = [str(Environments().of("race").python), "-m", "kuberacer.stages.leaderboard", "--name", name]
    command += ["--output", str(out / "leaderboard")]
    if of_folder or not os.environ.get("KUBERACER_S3_BUCKET"):
        command += ["--runs", str(out)]
    return _asked(command)


def remake_leaderboards(store: ObjectStore, names: Iterable[str]) -> None:
    """Make leaderboards of a bucket anew, from the cards that are there now."""
    for name in names:
        command = [str(Environments().of("race").python), "-m", "kuberacer.stages.leaderboard", "--name", name]
        _asked(command, store.settings.environment())


def prune_bucket(sure: bool) -> list[str]:
    """What kuberacer.stages.prune_runs says of the bucket of KUBERACER_S3_BUCKET, and removes when it is sure."""
    command = [str(Environments().of("race").python), "-m", "kuberacer.stages.prune_runs"]
    return _asked([*command, "--yes"] if sure else command)


def _asked(command: list[str], environment: Mapping[str, str] | None = None) -> list[str]:
    """What the process prints."""
    variables = {**os.environ, **(environment or {})}
    asked = subprocess.run(command, capture_output=True, text=True, check=False, env=variables)
    if asked.returncode != 0:
        *_, cause, remedy = [
            "the stages' environment cannot do it",
            "see `make test`",
            *asked.stderr.strip().splitlines(),
        ]
        raise UserError(cause.removeprefix("error: "), remedy.removeprefix("remedy: "))
    return asked.stdout.strip().splitlines()
