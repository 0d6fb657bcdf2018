"""The live view. Its server has an environment of its own, so this process becomes it."""

import os
import sys
from pathlib import Path
from typing import NoReturn

from kuberacer.run.local import Environments


def serve(out: Path, run: str, port: int | None, host: str) -> NoReturn:
    """Until Ctrl-C. Raises UserError when there is no environment for it."""
    python = str(Environments().of("watch").python)
    command = [python, "-m", "kuberacer.watch", "--out", str(out), "--host", host]
    command += ["--run", run] if run else []
    command += ["--port", str(port)] if port is not None else []
    sys.stdout.flush()
    os.execv(python, command)
