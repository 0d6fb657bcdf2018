"""The list of our own tracks. The stages' environment knows them, so a process there is asked."""

import itertools
import json
import subprocess
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.local import Environments

_COLUMNS, _ROWS = 30, 7  # characters of a drawing; each holds 2×4 points
_DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # Unicode braille: bit of the point at column, row
_SAMPLES = 20  # points drawn for each piece of the centre line


def list_tracks(out: Path) -> list[str]:
    """The lines of the list; pictures are written below `out`."""
    pictures = out / "tracks"
    command = [str(Environments().of("race").python), "-m", "kuberacer.sim.list_tracks", "--pictures", str(pictures)]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        last = (asked.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise UserError(f"the tracks cannot be listed: {last}", "run `make setup`, or see `make test`")
    lines = []
    for track in json.loads(asked.stdout):
        about = [
            track["name"],
            track["kind"],
            f"{track['length_m']:.1f} m long, {track['width_m']:.2f} m wide" + ("" if track["closed"] else ", no loop"),
            str(pictures / f"{track['name']}.png"),
        ]
        drawing = draw(track["center"], track["closed"])
        height = max(len(drawing), len(about))
        about += [""] * (height - len(about))
        drawing += [""] * (height - len(drawing))
        lines += [f"  {picture:<{_COLUMNS}}  {text}".rstrip() for picture, text in zip(drawing, about, strict=True)]
        lines.append("")
    return lines


def draw(center: list[Any], closed: bool) -> list[str]:
    """A line (P, 2) in metres drawn with braille characters, true to scale, y upwards."""
    points = [*center, center[0]] if closed else center
    xs, ys = [point[0] for point in points], [point[1] for point in points]
    # A character is twice as high as wide and holds 2×4 points, so points are square.
    scale = min((2 * _COLUMNS - 1) / (max(xs) - min(xs)), (4 * _ROWS - 1) / max(max(ys) - min(ys), 1e-9))
    cells: dict[tuple[int, int], int] = {}
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        for step in range(_SAMPLES):
            at = step / _SAMPLES
            column = round((x0 + at * (x1 - x0) - min(xs)) * scale)
            row = round((max(ys) - y0 - at * (y1 - y0)) * scale)
            cell = (row // 4, column // 2)
            cells[cell] = cells.get(cell, 0) | _DOTS[column % 2][row % 4]
    height = max(row for row, _ in cells) + 1
    blank = chr(0x2800)
    return [
        "".join(chr(0x2800 + cells.get((row, x), 0)) for x in range(_COLUMNS)).rstrip(blank) for row in range(height)
    ]
