"""A real run, made once by the command that users give, for all that read it from outside."""

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / ".envs" / "tools" / "bin" / "python"


@pytest.fixture(scope="session")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a finished run of three iterations; KUBERACER_TEST_RUN names one that is there already."""
    if named := os.environ.get("KUBERACER_TEST_RUN"):
        return Path(named).resolve()
    folder = tmp_path_factory.mktemp("runs")
    (folder / "hyperparameters.json").write_text(json.dumps({"rollout_steps": 512, "batch_size": 64}))
    command = [str(TOOLS), "-m", "kuberacer.run.cli", "run", "--out", str(folder / "out"), "--track", "pebble"]
    command += ["--minutes", "0", "--steps", "1536", "--cars", "8", "--trials", "2"]
    command += ["--hyperparameters", str(folder / "hyperparameters.json")]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr + made.stdout
    return (folder / "out" / "latest").resolve()
