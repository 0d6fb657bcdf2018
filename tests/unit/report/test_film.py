"""Each view shows what it has to where it has to, plays in browsers, and is the same for the same recording."""

import struct
from pathlib import Path

import av
import numpy as np
import pytest
from recordings import recorded

from kuberacer.report.chase_camera import HEIGHT, WIDTH
from kuberacer.report.film import VIEWS, Pictures, film, film_views
from kuberacer.report.ground import GRASS, ROAD
from kuberacer.report.overlay import EDGE, HEADER
from kuberacer.report.paint import car_color
from kuberacer.report.things import BOXES
from kuberacer.sim.picture import GRASS as SEEN_GRASS
from kuberacer.sim.picture import TopView
from kuberacer.sim.track import Track

VIDEO_TOLERANCE = 26  # of 255: of what the codec does to a plain area


def near(picture: np.ndarray, column: float, row: float, color: tuple[int, int, int], within: int = 12) -> bool:
    """The mean of 5×5 pixels."""
    r, k = round(row), round(column)
    return bool(np.abs(picture[r - 2 : r + 3, k - 2 : k + 3].mean(axis=(0, 1)) - color).max() <= within)


def decoded(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == 15
        assert (stream.width, stream.height) == (WIDTH, HEIGHT)
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(stream)]


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("films")
    paths = {view: folder / f"{view}.mp4" for view in VIEWS}
    film_views(recorded(), paths)
    return paths


def test_every_view_holds_the_recording_s_steps_and_a_second_of_its_end(films: dict[str, Path]):
    for path in films.values():
        pictures = decoded(path)
        assert len(pictures) == 30 + 14
        assert np.abs(pictures[-1].astype(int) - pictures[-10]).mean() < 1


def test_the_same_recording_gives_the_same_bytes_alone_or_with_the_others(films: dict[str, Path], tmp_path: Path):
    for view, path in films.items():
        film(recorded(), view, tmp_path / f"{view}.mp4")
        assert (tmp_path / f"{view}.mp4").read_bytes() == path.read_bytes(), view


def test_browsers_play_it_before_they_have_it_all(films: dict[str, Path]):
    """The index lies before the pictures, and what they are is written there: H.264, high profile at most."""
    for path in films.values():
        data = path.read_bytes()
        assert boxes(data)[:2] == ["ftyp", "moov"]
        profile = data[data.index(b"avcC") + 5]
        assert profile in (66, 77, 100)


def boxes(data: bytes) -> list[str]:
    found, at = [], 0
    while at < len(data):
        size, kind = struct.unpack(">I4s", data[at : at + 8])
        found.append(kind.decode())
        at += size
    return found


def test_from_behind_the_car_is_on_the_road_and_grass_beside_it(films: dict[str, Path]):
    picture = decoded(films["45degree"])[5]
    red = np.array(car_color("Red"))
    close = np.abs(picture.astype(int) - red).max(axis=2) < 60
    rows, columns = np.nonzero(close)
    assert len(rows) > 1000
    assert abs(columns.mean() - WIDTH / 2) < 25
    assert HEIGHT / 2 < rows.mean() < HEIGHT * 0.7
    assert near(picture, 400, 400, ROAD, VIDEO_TOLERANCE)
    for column in (30, WIDTH - 30):
        assert min(np.abs(picture[250, column].astype(int) - tone).max() for tone in GRASS) < VIDEO_TOLERANCE


def test_from_above_car_and_grass_are_where_they_are(films: dict[str, Path]):
    recording = recorded()
    view, picture = TopView(recording.track, WIDTH, HEIGHT), decoded(films["topview"])[20]
    angle = 2.0 / 3
    column, row = view.pixels(np.array([3 * np.cos(angle), 3 * np.sin(angle)]))
    red = np.array(car_color("Red"))
    patch = picture[round(row) - 8 : round(row) + 9, round(column) - 8 : round(column) + 9].astype(int)
    assert (np.abs(patch - red).max(axis=2) < 60).sum() > 40
    assert near(picture, *view.pixels(np.array([0.0, 0.0])), SEEN_GRASS, VIDEO_TOLERANCE)


def test_boxes_bots_and_racers_are_seen_from_behind_and_above_and_what_is_not_there_is_not():
    """A box 20 degrees ahead on the road, a bot 40, and a kind of -1 (not on the track) at 300."""
    made = recorded(("A", "B"), ("Red", "Blue"), steps=2, things=((20.0, 3.0, 0), (40.0, 3.0, 3), (300.0, 3.0, -1)))
    pictures = Pictures(made, ("45degree", "topview")).at(1)
    empty = Pictures(recorded(("A", "B"), ("Red", "Blue"), steps=2), ("45degree", "topview")).at(1)
    view = TopView(made.track, WIDTH, HEIGHT)

    def tone(degrees: float) -> np.ndarray:
        angle = np.deg2rad(degrees)
        column, row = view.pixels(np.array([3 * np.cos(angle), 3 * np.sin(angle)])).round().astype(int)
        return pictures["topview"][row, column].astype(int)

    assert np.abs(tone(20) - BOXES["box_obstacle"][1]).max() < 12, "the tape lies along its middle"
    assert tone(40)[:2].min() > tone(40)[2] + 50, "yellow"
    below = pictures["topview"][HEIGHT // 2 + 30 :, WIDTH // 2 :], empty["topview"][HEIGHT // 2 + 30 :, WIDTH // 2 :]
    assert (below[0] == below[1]).all()
    differs = (pictures["45degree"] != empty["45degree"]).any(axis=2)
    assert differs[: HEIGHT // 2].sum() > 500, "the box is ahead"
    blue = np.abs(pictures["topview"].astype(int) - car_color("Blue")).max(axis=2) < 40
    assert blue.sum() > 30, "the other racer, one metre behind"


def test_names_do_not_cover_each_other():
    """Two cars a metre apart along a road that runs sideways in the picture: one name above, the other below."""
    made = recorded(("Ada Lovelace the First", "Grace Hopper"), ("Red", "Blue"), steps=2)
    made.cars["x"], made.cars["y"] = [[0.0, 0.3], [0.0, 0.3]], 3.0
    made.cars["heading"] = 180.0
    picture = Pictures(made, ("topview",)).at(1)["topview"]
    row = round(TopView(made.track, WIDTH, HEIGHT).pixels(np.array([0.0, 3.0]))[1])
    white = (picture > 240).all(axis=2)
    assert white[row - 30 : row - 14].sum() > 60
    assert white[row + 14 : row + 34].sum() > 60


def test_the_overlay_tells_what_the_recording_holds():
    """Each value changes its own place and nothing else."""

    def shown(change) -> np.ndarray:
        recording = recorded()
        change(recording)
        return Pictures(recording, ("pip",)).at(10)["pip"].astype(int)

    base = shown(lambda recording: None)
    places = {
        "lap": (slice(20, HEADER), slice(330, 390)),
        "lap_time": (slice(20, HEADER), slice(390, 510)),
        "total_time": (slice(20, HEADER), slice(510, WIDTH)),
        "speed": (slice(400, 446), slice(364, 460)),
        "resets": (slice(400, 446), slice(460, 525)),
        "penalty": (slice(400, 446), slice(525, WIDTH)),
        "progress": (slice(454, HEIGHT), slice(0, WIDTH)),
    }
    for key, (rows, columns) in places.items():

        def change(recording, key=key):
            recording.cars[key][:] = 2

        differs = np.abs(shown(change) - base).max(axis=2) > 0
        assert differs[rows, columns].any(), key
        differs[rows, columns] = False
        assert not differs.any(), key


def test_names_colour_and_camera_are_shown():
    def shown(**about) -> np.ndarray:
        return Pictures(recorded(steps=2, **about), ("pip",)).at(1)["pip"]

    picture = shown()
    for about in ({"names": ("Grace Hopper",)}, {"leaderboard": "Other Cup"}, {"colors": ("Blue",)}):
        other = shown(**about)
        assert (other[:HEADER, : WIDTH // 2] != picture[:HEADER, : WIDTH // 2]).any(), about
    assert near(picture, EDGE + 4, 26, car_color("Red"))
    assert near(picture, EDGE + 80, 380, (40, 40, 40), 0)
    stereo = shown(views=2)
    assert near(stereo, EDGE + 60, 400, (40, 40, 40), 0)
    assert near(stereo, EDGE + 182, 400, (200, 200, 200), 0)


def test_a_film_that_cannot_be_finished_leaves_no_file(tmp_path: Path):
    broken = recorded()
    broken.cars["lap_time"][20] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        film_views(broken, {"pip": tmp_path / "pip.mp4", "topview": tmp_path / "top.mp4"})
    assert list(tmp_path.iterdir()) == []


def test_a_long_open_track_is_filmed(tmp_path: Path):
    """Its ground does not fit 5 mm a texel, and its cars are drawn larger than they are."""
    x = np.linspace(0, 300, 301)
    rows = np.hstack([np.column_stack([x, np.full(301, y)]) for y in (0.0, 0.6, -0.6)])
    made = recorded(steps=3)
    made.track = Track.from_route(rows, "long")
    made.cars["x"], made.cars["y"], made.cars["heading"] = 150.0, 0.3, 0.0
    pictures = Pictures(made, VIEWS).at(2)
    red = [(np.abs(pictures[view].astype(int) - car_color("Red")).max(axis=2) < 40).sum() for view in VIEWS]
    assert min(red) > 30
    assert near(pictures["45degree"], WIDTH / 2 - 50, 400, ROAD)
