"""The user's files: read, or an error that helps to find the right one."""

import difflib
import os
from pathlib import Path

from kuberacer.errors import UserError


def must_exist(path: Path, what: str) -> None:
    """Raises UserError with the names that come near, when there is no such file."""
    if path.is_file():
        return
    if path.is_dir():
        raise UserError(f"{path} is a folder, not a {what} file", "give the path of the file itself")
    raise UserError(f"{path} does not exist", _nearest(path))


def read_user_file(path: Path, what: str) -> str:
    """The text of a file that was named on the command line. Raises UserError when it cannot be read as text."""
    must_exist(path, what)
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise UserError(f"{path} is not a text file (UTF-8)", f"give a {what} file") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}", "see its permissions") from None


def _nearest(path: Path) -> str:
    """The remedy: files of a similar name in the folder where it was looked for, else what is there at all."""
    folder = path.parent
    while not folder.is_dir() and folder != folder.parent:
        folder = folder.parent
    names = sorted(entry.name for entry in os.scandir(folder) if not entry.name.startswith("."))
    near = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    if near:
        return "did you mean " + " or ".join(str(folder / name) for name in near) + "?"
    same_kind = [name for name in names if Path(name).suffix == path.suffix] or names
    shown = ", ".join(same_kind[:8]) or "nothing"
    return f"in {folder.resolve()} there is {shown}"
