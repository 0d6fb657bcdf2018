"""Makes players of the Basic scene for tests: a file that starts basic_scene.py in the environment of the tests."""

import shlex
import sys
from pathlib import Path

SCENE = Path(__file__).with_name("basic_scene.py")


def write_player(path: Path, *switches: str) -> Path:
    """An executable at `path`; switches: those of basic_scene.py."""
    path.parent.mkdir(parents=True, exist_ok=True)
    command = shlex.join([sys.executable, str(SCENE), *switches])
    path.write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    path.chmod(0o755)
    return path
