"""A reward replayed over a run's traces. It is done in the stages' environment, so a process there is asked."""

import os
import subprocess
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.run.files import must_exist
from kuberacer.run.given import text_of
from kuberacer.run.local import Environments
from kuberacer.run.record import needs_files

NEEDED = ("training-simtrace", "reward_function.py", "track.npy", "model/model_metadata.json")


def replay(run: Path, reward: Path | None, iterations: str, requirements: Path | None, allowed_imports: str) -> int:
    """The process's exit status; it says itself what came of it. Page and CSV files go into <run>/replay-<reward>."""
    needs_files(run, *NEEDED)
    if reward is not None:
        must_exist(reward, "reward")
        if reward.suffix != ".py":
            raise UserError(f"{reward} is no Python file", "give the path of a .py file")
    output = run / f"replay-{reward.stem if reward else 'own-reward'}"
    command = [str(Environments().of("race").python), "-m", "kuberacer.stages.replay_reward"]
    command += ["--run-folder", str(run), "--output", str(output), "--iterations", iterations]
    command += ["--reward", str(reward)] if reward else []
    command += ["--requirements", text_of(requirements, "requirements") or "", "--allowed-imports", allowed_imports]
    # A notebook's plots go elsewhere, by a module that the stages' environment does not have.
    environment = {name: value for name, value in os.environ.items() if name != "MPLBACKEND"}
    return subprocess.run(command, env=environment, check=False).returncode
