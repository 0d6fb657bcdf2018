"""The list of tracks: a table with length, width and a small picture in text, and a sheet of pictures."""

import argparse
from pathlib import Path

import numpy as np

from kuberacer.errors import run_main
from kuberacer.sim.track import Track, load_track, own_tracks
from kuberacer.sim.tracks_drawn import DRAWINGS

EXAMPLE = """examples:
  python -m kuberacer.sim.catalog
  python -m kuberacer.sim.catalog --picture tracks.png hairpin path/to/route.npy"""
_BRAILLE = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])  # bit of each of a cell's 4 × 2 dots
ROAD = "#3c4650"


def track_table(names: list[str] | None = None) -> list[dict]:
    """One row a track: name, length_m, width_m, kind (what is special about it). names: own tracks or routes' paths."""
    return [_row(load_track(name)) for name in names or own_tracks()]


def _row(track: Track) -> dict:
    drawn = DRAWINGS.get(track.name)
    kind = drawn.kind if drawn else "loop" if track.closed else "from start to finish, not a loop"
    return {"name": track.name, "length_m": round(track.length, 2), "width_m": round(track.width, 2), "kind": kind}


def text_picture(track: Track, columns: int = 32, max_lines: int = 9) -> list[str]:
    """The road from above in braille dots, a gap at the start line; at most max_lines lines of at most `columns`."""
    low, high = _extent(track)
    pixel = max((high[0] - low[0]) / (2 * columns), (high[1] - low[1]) / (4 * max_lines))
    width, height = (int(np.ceil((high[k] - low[k]) / pixel)) for k in (0, 1))
    cells_x, cells_y = -(-width // 2), -(-height // 4)
    x = low[0] + (np.arange(2 * cells_x) + 0.5) * pixel
    y = high[1] - (np.arange(4 * cells_y) + 0.5) * pixel
    points = np.stack(np.meshgrid(x, y), axis=-1)
    gaps = points[:, :, None] - track.route()[:, :2]
    distance = np.hypot(gaps[..., 0], gaps[..., 1])
    road = distance.min(axis=2) < max(0.5 * track.width, 0.75 * pixel)
    start = track.center[0] - points
    along = (track.center[1] - track.center[0]) / np.hypot(*(track.center[1] - track.center[0]))
    near = np.hypot(start[..., 0], start[..., 1]) < max(0.7 * track.width, 2 * pixel)
    road &= ~(near & (np.abs(start @ along) < 0.6 * pixel))
    cells = road.reshape(cells_y, 4, cells_x, 2).transpose(0, 2, 1, 3)
    codes = 0x2800 + (cells * _BRAILLE).sum(axis=(2, 3))
    return ["".join(map(chr, line)).rstrip("\u2800") for line in codes]


def _extent(track: Track) -> tuple[np.ndarray, np.ndarray]:
    borders = np.vstack([track.inner, track.outer])
    return borders.min(axis=0), borders.max(axis=0)


def print_catalog(tracks: list[Track]) -> None:
    """Print the table to stdout, each track with its picture beside it."""
    for track in tracks:
        row = _row(track)
        facts = [row["name"], f"{row['length_m']:.1f} m long", f"{row['width_m']:.2f} m wide", row["kind"]]
        picture = text_picture(track)
        facts += [""] * (len(picture) - len(facts))
        picture += [""] * (len(facts) - len(picture))
        print("\n".join(f"{line:<34}{fact}".rstrip() for line, fact in zip(picture, facts, strict=True)) + "\n")


def draw_sheet(tracks: list[Track], path: Path) -> None:
    """Write one PNG with all tracks from above, each to its own scale with a bar of one metre."""
    from matplotlib.figure import Figure

    columns = min(4, len(tracks))
    rows = -(-len(tracks) // columns)
    figure = Figure(figsize=(4.2 * columns, 3.6 * rows), facecolor="white", layout="constrained")
    panels = np.ravel(figure.subplots(rows, columns, squeeze=False))
    for panel, track in zip(panels, tracks, strict=False):
        _draw(panel, track)
    for panel in panels:
        panel.set_axis_off()
    figure.savefig(path, dpi=110)


def _draw(panel, track: Track) -> None:
    route = track.route()
    center, inner, outer = route[:, :2], route[:, 2:4], route[:, 4:]
    panel.fill(*np.vstack([inner, outer[::-1]]).T, color=ROAD, linewidth=0)
    panel.plot(*inner.T, color="#c9c4b5", linewidth=1.4)
    panel.plot(*outer.T, color="#c9c4b5", linewidth=1.4)
    panel.plot(*center.T, color="#f2b632", linewidth=1.0, linestyle=(0, (5, 5)))
    panel.plot(*np.stack([inner[0], outer[0]]).T, color="#e4572e", linewidth=3, solid_capstyle="butt")
    ahead = (center[3] - center[0]) / np.hypot(*(center[3] - center[0])) * 0.9 * track.width
    panel.annotate("", center[2] + ahead, center[2], arrowprops={"arrowstyle": "-|>", "color": "white", "lw": 1.4})
    low, high = _extent(track)
    margin = 0.06 * (high - low).max()
    foot = low - margin
    panel.plot([foot[0] + margin, foot[0] + margin + 1.0], [foot[1], foot[1]], color=ROAD, linewidth=2)
    panel.text(foot[0] + margin + 1.0, foot[1], "  1 m", va="center", fontsize=8, color=ROAD)
    panel.set_title(f"{track.name}\n{track.length:.1f} m × {track.width:.2f} m", fontsize=11, color=ROAD)
    panel.set_xlim(low[0] - margin, high[0] + margin)
    panel.set_ylim(low[1] - 2 * margin, high[1] + margin)
    panel.set_aspect("equal")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=EXAMPLE, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tracks", nargs="*", metavar="TRACK", help="own track's name or path of a .npy (default: all)")
    parser.add_argument("--picture", type=Path, metavar="PNG", help="also draw them all into this file")
    options = parser.parse_args()
    tracks = [load_track(name) for name in options.tracks or own_tracks()]
    print_catalog(tracks)
    if options.picture:
        draw_sheet(tracks, options.picture)
        print(f"pictures: {options.picture}")


if __name__ == "__main__":
    run_main(main)
