"""Tracks: routes in, faults named."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.sim.track import Track, load_track, validate_route
from sim.roads import REAL, oval_route


@pytest.mark.parametrize(
    ("name", "length", "width", "closed", "waypoints"),
    [
        ("reinvent_base", 17.709, 0.762, True, 119),
        ("Oval_track", 19.550, 0.708, True, 102),
        ("reInvent2019_track", 23.118, 1.067, True, 155),
        ("Straight_track", 5.707, 0.610, False, 22),
    ],
)
def test_real_routes_load(name, length, width, closed, waypoints):
    path = REAL / f"{name}.npy"
    if not path.exists():
        pytest.skip("the real DeepRacer routes are not on this machine")
    track = load_track(str(path))
    assert track.name == name
    assert track.length == pytest.approx(length, abs=1e-3)
    assert track.width == pytest.approx(width, abs=1e-3)
    assert (track.closed, len(track.waypoints)) == (closed, waypoints)
    assert np.array_equal(track.route(), np.load(path))


def test_sources(tmp_path):
    route = oval_route()
    folder = tmp_path / "oval"
    folder.mkdir()
    np.save(folder / "ring.npy", route)
    by_path, by_folder = load_track(str(folder / "ring.npy")), load_track(str(folder))
    assert by_path.name == by_folder.name == "ring"
    assert by_path.digest() == by_folder.digest() == Track.from_route(route, "another name").digest()
    np.save(folder / "oval.npy", oval_route(rows=60))
    assert load_track(str(folder)).name == "oval"

    class Bucket:
        def get_object(self, **where):
            assert where == {"Bucket": "b", "Key": "routes/ring.npy"}
            return {"Body": io.BytesIO((folder / "ring.npy").read_bytes())}

    assert load_track("s3://b/routes/ring.npy", Bucket()).digest() == by_path.digest()


def test_sources_not_found(tmp_path):
    with pytest.raises(UserError, match="0 route files"):
        load_track(str(tmp_path))
    with pytest.raises(UserError, match="neither one of ours nor a file"):
        load_track("no-such-track")
    with pytest.raises(UserError, match="not an address"):
        load_track("s3://bucket", object())
    for content in (b"", b"not numpy", b"\x93NUMPY\x01\x00"):
        (tmp_path / "broken.npy").write_bytes(content)
        with pytest.raises(UserError, match="not a readable"):
            load_track(str(tmp_path / "broken.npy"))
    np.save(tmp_path / "pickled.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(UserError, match="not a readable"):
        load_track(str(tmp_path / "pickled.npy"))


def broken(change) -> np.ndarray:
    route = oval_route()
    changed = change(route)
    return route if changed is None else changed


def swap_borders(route: np.ndarray) -> None:
    route[30:50, [2, 3, 4, 5]] = route[30:50, [4, 5, 2, 3]]


def set_rows(rows, columns, value):
    def change(route: np.ndarray) -> None:
        route[rows, columns] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[:, :4], r"wrong shape \(81, 4\)"),
        (lambda r: r.ravel(), r"wrong shape \(486,\)"),
        (lambda r: r.astype(complex), "wrong dtype complex128"),
        (lambda r: r[:5], "5 rows"),
        (set_rows(7, 3, np.nan), "NaN at row 7"),
        (set_rows(9, 0, np.inf), "an infinite value at row 9"),
        (lambda r: np.hstack([r[:, :4], r[:, 2:4]]), "zero width at row 0"),
        (swap_borders, r"the borders cross at rows 29 \(inner\) and 29 \(outer\)"),
        (
            lambda r: r + np.array([9, 9, 0, 0, 0, 0]),
            "centre",
        ),
        (lambda r: r * 100, "m wide at row 0"),
        (lambda r: r / 100, "zero width"),
        (lambda r: np.vstack([r[:40], r[20:]]), "centre point of row 20 repeated at row 40"),
        (lambda r: np.repeat(r[[0, 20, 40, 60]], 5, axis=0), "only 4 different centre points"),
    ],
)
def test_faults_are_named(change, message):
    with pytest.raises(UserError, match=message) as caught:
        validate_route(broken(change), "mine")
    assert "mine" in caught.value.cause
    assert caught.value.remedy


def test_figure_of_eight_is_refused():
    angle = np.linspace(0.1, 2 * np.pi + 0.1, 120)
    center = np.stack([4 * np.sin(angle), 2 * np.sin(2 * angle)], axis=1)
    tangent = np.stack([4 * np.cos(angle), 4 * np.cos(2 * angle)], axis=1)
    normal = tangent[:, ::-1] * [-1, 1] / np.linalg.norm(tangent, axis=1, keepdims=True)
    with pytest.raises(UserError, match="cross"):
        validate_route(np.hstack([center, center + 0.3 * normal, center - 0.3 * normal]), "eight")


@given(
    rows=st.integers(12, 300),
    a=st.floats(1.5, 20.0),
    ratio=st.floats(0.6, 1.0),
    width=st.floats(0.3, 1.0),
    turn=st.floats(-3.2, 3.2),
)
def test_any_oval_is_accepted(rows, a, ratio, width, turn):
    route = oval_route(rows, a, a * ratio, width)
    rotation = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    route = np.hstack([route[:, i : i + 2] @ rotation for i in (0, 2, 4)])
    track = Track.from_route(route, "oval")
    assert track.closed
    assert track.width == pytest.approx(width)
    assert len(track.waypoints) == rows + 1
    assert np.array_equal(Track.from_route(track.route(), "again").route(), track.route())
