"""The command that fills numba's cache."""

import re
import subprocess
import sys


def test_command_says_what_is_ready():
    done = subprocess.run(
        [sys.executable, "-m", "kuberacer.sim.compile_kernels"], capture_output=True, text=True, check=True
    )
    found = re.match(r"(\d+) kernels ready in ", done.stdout)
    assert found
    assert int(found[1]) >= 8
