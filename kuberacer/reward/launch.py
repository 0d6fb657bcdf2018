"""Becomes a user's program, or the compiler of one, after the limits are set. Started by Program and by build()."""

import json
import os
import signal

from kuberacer.die_with_parent import die_with_parent
from kuberacer.reward import kernel_limits

START = "import sys; sys.path.insert(0, {!r}); from kuberacer.reward.launch import main; main({}, sys.argv[1])"


def main(status: int, settings: str) -> None:
    """status: an inherited file descriptor. One line of JSON goes there, {"limits": …}, and a second one, {"error": …},
    when the program cannot be started."""
    os.set_inheritable(status, False)
    die_with_parent()
    given = json.loads(settings)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and a program would inherit that
        signal.signal(number, signal.SIG_DFL)
    limits = {
        "memory": kernel_limits.limit_program(given["memory_mib"], given["cpu_s"], given["file_mib"]),
        "files": kernel_limits.limit_files([*kernel_limits.SYSTEM_FILES, *given["readable"]], given["writable"]),
        "system calls": kernel_limits.limit_system_calls(given["purpose"]),
    }
    os.write(status, json.dumps({"limits": [name for name, held in limits.items() if held]}).encode() + b"\n")
    try:
        os.execv(given["program"], given["command"])
    except OSError as error:
        os.write(status, json.dumps({"error": error.strerror}).encode() + b"\n")
        os._exit(126)
