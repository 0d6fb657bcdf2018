"""The leaderboard. It is made in the stages' environment, so a process there is asked."""

import os
import subprocess
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.run.local import Environments


def make_leaderboard(out: Path, name: str) -> list[str]:
    """The lines that tell of it; leaderboard.json and leaderboard.html are written into out/leaderboard."""
    command = [str(Environments().of("race").python), "-m", "kuberacer.stages.leaderboard", "--name", name]
    command += ["--output", str(out / "leaderboard")]
    if not os.environ.get("KUBERACER_S3_BUCKET"):
        command += ["--runs", str(out)]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        *_, cause, remedy = ["the leaderboard cannot be made", "see `make test`", *asked.stderr.strip().splitlines()]
        raise UserError(cause.removeprefix("error: "), remedy.removeprefix("remedy: "))
    return asked.stdout.strip().splitlines()
