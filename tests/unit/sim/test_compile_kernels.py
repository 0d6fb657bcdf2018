"""The command that fills numba's cache."""

import subprocess
import sys


def test_command_says_what_is_ready():
    done = subprocess.run(
        [sys.executable, "-m", "kuberacer.sim.compile_kernels"], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("4 kernels ready in ")
