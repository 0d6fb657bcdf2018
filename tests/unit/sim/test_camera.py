"""Frames: which point of the ground a pixel shows, by the pinhole's own formula."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.sim.camera import AHEAD, HEIGHT, WIDTH, Camera
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.texture import DASH, GRASS, LINE, ROAD, SKY, Texture
from sim.roads import oval, straight

FOCAL = 80.0 / np.tan(1.13 / 2)
PITCH = np.deg2rad(15.0)
CAMERA_HEIGHT = 0.130


def pixel_of(ahead: float, left: float) -> tuple[float, float]:
    """(column, row) where the camera sees the ground point `ahead` of and `left` beside the car's origin."""
    forward, down = ahead - AHEAD, CAMERA_HEIGHT
    depth = forward * np.cos(PITCH) + down * np.sin(PITCH)
    below = -forward * np.sin(PITCH) + down * np.cos(PITCH)
    return WIDTH / 2 - FOCAL * left / depth, HEIGHT / 2 + FOCAL * below / depth


def standing_at(track, x: float, y: float, heading: float) -> RaceSim:
    """One car with its origin at (x, y), rendered."""
    sim = RaceSim(track, 1)
    front = 0.14 * np.array([np.cos(np.deg2rad(heading)), np.sin(np.deg2rad(heading))])
    sim.place(np.array([x + front[0]]), np.array([y + front[1]]), np.array([heading]))
    sim.render()
    return sim


def test_hand_computed_points():
    """A camera 13 cm up, 15 degrees down, sees the ground straight ahead in its middle at 0.13 / tan 15° = 48.5 cm."""
    assert Camera().focal_length == pytest.approx(126.2, abs=0.01)
    assert pixel_of(AHEAD + 0.130 / np.tan(PITCH), 0.0) == pytest.approx((80.0, 60.0))
    assert pixel_of(1e6, 0.0)[1] == pytest.approx(60 - 126.2 * np.tan(PITCH), abs=0.01)  # the horizon: row 26.2
    table = Camera().row_table(0.005)
    sky = table[:, 2] == 0.0
    assert (sky[:26].all(), sky[28:].any()) == (True, False)
    forward, across = table[~sky, 0] / table[~sky, 2], table[~sky, 1] / table[~sky, 2]
    rows = np.flatnonzero(~sky)
    for row, distance, size in zip(rows, forward, across, strict=True):
        assert pixel_of(AHEAD + distance, 0.0)[1] == pytest.approx(row + 0.5)
        assert pixel_of(AHEAD + distance, -size)[0] == pytest.approx(81.0)
    assert forward[-1] == pytest.approx(0.1536, abs=1e-4)


def test_borders_lie_where_the_pinhole_says():
    """A straight road 0.6 m wide along x, seen from its middle: white from 0.25 to 0.30 m on both sides."""
    frame = standing_at(straight(length=9.0, width=0.6, rows=31), 1.0, 0.0, 0.0).frames[0, 0]
    for ahead in (0.8, 1.0, 1.3, 1.6):
        row = int(pixel_of(ahead, 0.0)[1])
        distance = next(d for d in np.arange(0.3, 3, 1e-4) if pixel_of(d, 0.0)[1] <= row + 0.5)
        for side in (1, -1):
            for left, expected in ((0.275, LINE), (0.22, ROAD), (0.33, GRASS)):
                column = int(pixel_of(distance, side * left)[0])
                assert abs(int(frame[row, column]) - expected) <= 25, (ahead, side, left)
    assert (frame[:26] == SKY).all()


@given(x=st.floats(-4, 4), y=st.floats(-3, 3), heading=st.floats(-180, 180))
@settings(max_examples=40, deadline=None)
def test_pixels_are_the_texture_s(x, y, heading):
    """Every pixel of near rows is a texel no farther than one texel from where the pinhole's ray meets the ground."""
    sim = standing_at(oval(), x, y, heading)
    texture, frame, table = sim.texture, sim.frames[0, 0], sim._row_tables[0]
    angle = np.deg2rad(heading)
    along, left = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    for row in range(60, HEIGHT, 7):
        assert table[row, 3] == 0
        distance, across = table[row, :2] / table[row, 2]
        columns = np.arange(0, WIDTH, 5)
        points = np.array([x, y]) + (AHEAD + distance) * along + np.outer((80 - columns - 0.5) * across, left)
        at = (points - texture.origin) / texture.texel
        for column, (u, v) in zip(columns, at, strict=True):
            near = {grey_at(texture, u + du, v + dv) for du in (-0.02, 0.02) for dv in (-0.02, 0.02)}
            assert int(frame[row, column]) in near


def grey_at(texture: Texture, u: float, v: float) -> int:
    """Of level 0 at (u, v) texels; grass around the picture."""
    height, width = texture.picture.shape
    inside = 0 <= u < width and 0 <= v < height
    return int(texture.picture[int(v), int(u)]) if inside else GRASS


def test_levels_halve_the_picture():
    texture = Texture.of(oval())
    for level in range(len(texture.levels) - 1):
        (offset, stride, width, height), (o2, s2, w2, h2) = texture.levels[level : level + 2]
        fine = texture.texels[offset : offset + stride * height].reshape(height, stride)[:, :width].astype(int)
        coarse = texture.texels[o2 : o2 + s2 * h2].reshape(h2, s2)[:, :w2].astype(int)
        mean = fine.reshape(h2, 2, w2, 2).mean(axis=(1, 3))
        assert np.abs(coarse - mean).max() <= 0.5


def test_ground_has_road_lines_dashes_and_grass():
    track = oval()
    texture = Texture.of(track)

    def grey(point: np.ndarray) -> int:
        u, v = (point - texture.origin) / texture.texel
        return int(texture.picture[int(v), int(u)])

    across = track.outer - track.inner
    for share, expected in ((0.03, LINE), (0.25, ROAD), (0.75, ROAD), (0.97, LINE), (-0.1, GRASS), (1.1, GRASS)):
        assert {grey(point) for point in track.inner + share * across} == {expected}
    between = 0.5 * (track.center + np.roll(track.center, 1, axis=0))
    assert {ROAD, DASH} <= {grey(point) for point in np.vstack([track.center, between])}


def test_far_outside_there_is_grass_and_sky_only():
    frame = standing_at(oval(), 500.0, -300.0, 30.0).frames[0, 0]
    assert set(np.unique(frame)) == {GRASS, SKY}


def test_texture_of_a_very_long_track_fits_the_fixed_point():
    texture = Texture.of(straight(length=900.0, width=1.0, rows=900))
    assert texture.levels[0, 2] < 1 << 16
    assert texture.texels.nbytes < 64 << 20
    frame = standing_at(straight(length=900.0, width=1.0, rows=900), 890.0, 0.0, 0.0).frames[0, 0]
    assert {GRASS, ROAD, SKY} <= set(np.unique(frame))


@pytest.mark.parametrize(
    ("sensor", "views"), [("observation", [0.0]), ("LEFT_CAMERA", [0.03]), ("STEREO_CAMERAS", [0.03, -0.03])]
)
def test_a_view_is_what_a_car_beside_it_sees_in_its_middle(sensor, views):
    sim = RaceSim(oval(), 1, sensors=(sensor, "LIDAR"))
    sim.reset()
    x, y, heading = sim.values.x.copy(), sim.values.y.copy(), sim.values.heading.copy()
    sim.render()
    assert sim.frames.shape == (1, len(views), HEIGHT, WIDTH)
    middle = RaceSim(oval(), 1)
    for view, left in enumerate(views):
        angle = np.deg2rad(heading)
        middle.place(x - left * np.sin(angle), y + left * np.cos(angle), heading)
        middle.render()
        assert (sim.frames[0, view] != middle.frames[0, 0]).mean() < 1e-3  # floating point moves a texel here and there
    if len(views) == 2:
        assert (sim.frames[0, 0] != sim.frames[0, 1]).mean() > 0.1


@pytest.mark.parametrize("sensors", [(), ("LIDAR",), ("LEFT_CAMERA", "STEREO_CAMERAS")])
def test_a_car_has_exactly_one_camera_sensor(sensors):
    with pytest.raises(ValueError, match="exactly one of"):
        RaceSim(oval(), 1, sensors=sensors)
