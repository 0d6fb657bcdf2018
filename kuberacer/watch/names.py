"""What may be asked for: names of runs and of their files. Nothing else reaches a store or a disk."""

import re
from pathlib import PurePosixPath

from kuberacer.errors import UserError
from kuberacer.store.client import NotFoundError

LATEST = "latest"
_RUN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}(~[A-Za-z0-9][A-Za-z0-9_-]{0,99})?")
_PART = re.compile(r"[^./\\\x00-\x1f\x7f][^/\\\x00-\x1f\x7f]{0,254}")  # no hidden file, and no way up
INNER = ("objects", "checkpoints", "live")  # folders of a run in a store that are no files of it
MOST_PATH = 1000

KINDS = {
    "report": re.compile(r".*\.html"),
    "video": re.compile(r".*\.mp4"),
    "model": re.compile(r"(.*/)?model\.tar\.gz|model/.*|.*\.pb"),
    "trace": re.compile(r"(.*/)?[a-z-]*simtrace/.*"),
    "metrics": re.compile(r"(?i:.*(metrics|run|race_result|model_card)[^/]*\.json|(.*/)?history\.jsonl)"),
}
TYPES = {
    ".html": "text/html; charset=utf-8", ".mp4": "video/mp4", ".png": "image/png", ".json": "application/json",
    **dict.fromkeys((".csv", ".jsonl", ".log", ".md", ".py", ".txt", ".yaml", ".yml"), "text/plain; charset=utf-8"),
}  # fmt: skip


def checked_run(name: str) -> str:
    """Raises NotFoundError for what no run is called. `sweep~trial` is a trial of a sweep."""
    if not _RUN.fullmatch(name):
        raise NotFoundError("no run is called so", "choose one of the list")
    return name


def prefix_of(run: str) -> str:
    """Under which a run's objects lie in its store."""
    sweep, _, trial = run.partition("~")
    return f"{sweep}/trials/{trial}" if trial else sweep


def checked_path(path: str) -> str:
    """Raises NotFoundError for a path that is not one below a run's folder, written plainly."""
    parts = path.split("/")
    if len(path) > MOST_PATH or parts[0] in INNER or not all(_PART.fullmatch(part) for part in parts):
        raise NotFoundError("there is no such file", "choose one of the run's list")
    return path


def is_file_of_run(path: str) -> bool:
    try:
        checked_path(path)
    except UserError:
        return False
    return True


def kind(path: str) -> str:
    """report, video, model, trace, metrics or other."""
    return next((name for name, pattern in KINDS.items() if pattern.fullmatch(path)), "other")


def content_type(path: str) -> str:
    return TYPES.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")
