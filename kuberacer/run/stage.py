"""A stage's module run by a command, in the stages' environment."""

import os
import subprocess
from collections.abc import Mapping

from kuberacer.errors import UserError
from kuberacer.run.local import Environments


def run_stage(name: str, options: Mapping[str, str], environment: Mapping[str, str] | None = None) -> None:
    """Its lines appear as it says them. environment: beside this process' own. Raises its UserError."""
    command = [str(Environments().of("race").python), "-m", f"kuberacer.stages.{name}"]
    for option, value in options.items():
        command += [f"--{option}={value}"]
    around = {**os.environ, **(environment or {})}
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, env=around)
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        if len(said) < 2 or not said[-2].startswith("error: "):
            fault = f"{name} ended with status {done.returncode}: {said[-1] if said else 'no reason given'}"
            raise UserError(fault, "see whether the memory and the disk suffice; what was given may be damaged")
        raise UserError(said[-2].removeprefix("error: "), said[-1].removeprefix("remedy: "))
