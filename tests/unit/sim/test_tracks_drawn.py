"""The tracks that we drew: drivable roads, the same on every machine, listed with pictures."""

import subprocess
import sys

import numpy as np
import pytest

from kuberacer.errors import UserError
from kuberacer.sim import catalog
from kuberacer.sim.track import Track, load_track, own_tracks, validate_route
from kuberacer.sim.tracks_drawn import DRAWINGS, ROW_SPACING, TRACKS

TIGHTEST = 0.35  # m: the car turns on 0.28 m
# Beginning of the sha256 over the route: a trained model belongs to the very road that it was trained on.
DIGESTS = {
    "pebble": "9fb963f973bba05d",
    "kidney": "fc71d7d4153aad3d",
    "hairpin": "4bb09bd9e8136519",
    "chicane": "8b0f30e7458f7dc4",
    "paperclip": "6a1f166a1cfe88c0",
    "clover": "10e3ad10715e0f04",
    "serpent": "57dedfa6ba724112",
    "harbor": "a25c316aba07a6f5",
    "speedway": "694eacd94dfa872f",
    "donkey_road": "65692114e117f248",
    "sprint": "915b9c719ce8738d",
}


@pytest.fixture(params=list(TRACKS))
def track(request) -> Track:
    return load_track(request.param)


def bend_radius(center: np.ndarray, closed: bool) -> np.ndarray:
    """Radius of the circle through three neighbouring rows, for every row."""
    if closed:
        center = np.vstack([center[-1:], center, center[:1]])
    a, b, c = center[:-2], center[1:-1], center[2:]
    (ux, uy), (vx, vy), (wx, wy) = (b - a).T, (c - b).T, (c - a).T
    area = np.abs(ux * vy - uy * vx)
    return np.hypot(ux, uy) * np.hypot(vx, vy) * np.hypot(wx, wy) / np.maximum(2 * area, 1e-9)


def test_the_choice():
    loops = [load_track(name) for name in own_tracks() if DRAWINGS[name].closed]
    assert len(loops) >= 8
    assert all(12 <= loop.length <= 60 for loop in loops)
    assert max(loop.length for loop in loops) > 4 * min(loop.length for loop in loops)
    assert any(not DRAWINGS[name].closed for name in own_tracks())
    assert {"hairpin", "chicane", "paperclip", "speedway", "sprint"} <= set(own_tracks())
    assert load_track("speedway").width == max(loop.width for loop in loops)


def test_route_is_sound(track):
    route = validate_route(TRACKS[track.name](), track.name)
    assert track.closed == DRAWINGS[track.name].closed
    assert track.width == pytest.approx(DRAWINGS[track.name].width, abs=1e-3)
    steps = np.hypot(*np.diff(route[:, :2], axis=0).T)
    assert np.all(np.abs(steps - ROW_SPACING) < 0.01)


def test_inner_border_does_not_fold(track):
    radius = bend_radius(track.center, track.closed)
    assert radius.min() > 0.5 * track.width + 0.15
    assert radius.min() > TIGHTEST
    for border in (track.inner, track.outer):
        ahead = np.einsum("ij,ij->i", np.diff(border, axis=0), np.diff(track.center, axis=0))
        assert np.all(ahead > 0)


def test_roads_keep_apart(track):
    """Where a track comes back to itself, there is ground between the two roads."""
    gone = np.arange(len(track.center)) * ROW_SPACING
    along = np.abs(gone[:, None] - gone)
    if track.closed:
        along = np.minimum(along, track.length - along)
    between = np.linalg.norm(track.center[:, None] - track.center, axis=2) - track.width
    nearest = between[along > 3 * track.width].min()
    assert nearest > 0.2
    if track.name == "paperclip":
        assert nearest < 0.3


def test_loops_run_counter_clockwise_with_the_inner_border_on_the_left(track):
    ahead = track.center[1] - track.center[0]
    to_inner = track.inner[0] - track.center[0]
    assert ahead[0] * to_inner[1] - ahead[1] * to_inner[0] > 0
    if track.closed:
        x, y = track.center.T
        assert np.sum(x * np.roll(y, -1) - y * np.roll(x, -1)) > 0


def test_same_road_in_every_process():
    code = "from kuberacer.sim.track import *\nprint([load_track(name).digest() for name in own_tracks()])"
    other = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert other.strip() == str([load_track(name).digest() for name in own_tracks()])
    assert {name: load_track(name).digest()[:16] for name in own_tracks()} == DIGESTS


def test_table():
    rows = catalog.track_table()
    assert [row["name"] for row in rows] == own_tracks()
    assert all(set(row) == {"name", "length_m", "width_m", "kind"} for row in rows)
    assert catalog.track_table(["hairpin"])[0]["length_m"] == pytest.approx(load_track("hairpin").length, abs=0.01)


def test_text_picture(track):
    lines = catalog.text_picture(track, columns=30, max_lines=8)
    assert len(lines) <= 8
    assert all(len(line) <= 30 for line in lines)
    dots = sum(bin(ord(c) - 0x2800).count("1") for line in lines for c in line)
    assert dots > 80


def run_catalog(*arguments: str) -> subprocess.CompletedProcess:
    command = [sys.executable, "-m", "kuberacer.sim.catalog", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def test_command(tmp_path):
    route = tmp_path / "mine.npy"
    np.save(route, TRACKS["pebble"]())
    picture = tmp_path / "sheet.png"
    ended = run_catalog("hairpin", str(route), "--picture", str(picture))
    assert ended.returncode == 0, ended.stderr
    assert "hairpin" in ended.stdout
    assert "mine" in ended.stdout
    assert "m wide" in ended.stdout
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_command_names_a_broken_route(tmp_path):
    route = TRACKS["pebble"]()
    route[4, 2] = np.nan
    np.save(tmp_path / "mine.npy", route)
    ended = run_catalog(str(tmp_path / "mine.npy"))
    assert ended.returncode == 1
    assert "NaN at row 4" in ended.stderr.splitlines()[-2]
    assert ended.stderr.splitlines()[-1].startswith("remedy: ")
    with pytest.raises(UserError, match="neither one of ours"):
        catalog.track_table(["nowhere"])
