"""What a run has somewhere, as it is shown before it is removed."""

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from kuberacer.store.client import ObjectStore


@dataclass(frozen=True)
class Thing:
    """what: its name and how large it is. remove: no error where it is gone already, in part or as a whole."""

    what: str
    remove: Callable[[], None]


def size(count: int, total: int, of: str) -> str:
    """`412.3 MiB in 311 files`."""
    amount, unit = float(total), "B"
    for unit in ("B", "KiB", "MiB", "GiB", "TiB"):  # noqa: B007
        if amount < 1024:
            break
        amount /= 1024
    return f"{amount:.{0 if unit == 'B' else 1}f} {unit} in {count} {of}"


def folder_size(folder: Path) -> tuple[int, int]:
    """(files, bytes on the disk), without following links."""
    count, total = 0, 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                found = os.lstat(os.path.join(place, name))
            except FileNotFoundError:
                continue
            count, total = count + 1, total + found.st_blocks * 512
    return count, total


def objects(store: ObjectStore, places: Iterable[str], what: str) -> Thing | None:
    """The objects at these keys and below these prefixes, which end with a slash; None when there are none.

    They are listed anew when they go: what was written meanwhile goes, too.
    """
    places = sorted(set(places))

    def keys() -> list[tuple[str, int]]:
        return [
            (entry.key, entry.size)
            for place in places
            for entry in store.entries(place)
            if place.endswith("/") or entry.key == place
        ]

    found = keys()
    if not found:
        return None
    told = f"{what}: {size(len(found), sum(bytes_ for _, bytes_ in found), 'objects')}"
    return Thing(told, lambda: store.delete_all([key for key, _ in keys()]))
