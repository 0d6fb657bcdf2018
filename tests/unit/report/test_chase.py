"""The camera behind a car: which point of the world a pixel shows, by numbers computed by hand, and what hides what."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from recordings import ring

from kuberacer.report.chase import ChaseView
from kuberacer.report.chase_camera import WIDTH, ChaseCamera, follow
from kuberacer.report.ground import DASH, GRASS, LINE, ROAD, Ground, pack
from kuberacer.report.solids import Cuboid, Shape, Solid
from kuberacer.sim.film_kernels import fill_quads, stamp, to_yuv420
from kuberacer.sim.track import Track

FOCAL = 240 / np.tan(np.deg2rad(28.0))  # 451.4 px
DOWN_45 = ChaseCamera(x=1.0, y=2.0, yaw=np.pi / 2, height=1.0, pitch=np.pi / 4)


def near(picture: np.ndarray, column: float, row: float, color: tuple[int, int, int], within: int = 10) -> bool:
    return bool(np.abs(picture[int(row), int(column)].astype(int) - color).max() <= within)


def test_points_computed_by_hand():
    """A camera one metre up that looks north and 45 degrees down sees the ground one metre ahead in its middle, √2 m
    away; what lies 0.1 m to the right of that point (east) is 0.1/√2 focal lengths to the right."""
    assert DOWN_45.focal_length == pytest.approx(FOCAL)
    assert DOWN_45.project([1.0, 3.0, 0.0]) == pytest.approx([320, 240, np.sqrt(2)])
    assert DOWN_45.project([1.1, 3.0, 0.0]) == pytest.approx([320 + 0.1 / np.sqrt(2) * FOCAL, 240, np.sqrt(2)])
    # Straight below the camera: 45 degrees below its axis; straight ahead at its height: 45 degrees above.
    assert DOWN_45.project([1.0, 2.0, 0.0])[1] == pytest.approx(240 + FOCAL)
    assert DOWN_45.project([1.0, 9.0, 1.0])[1] == pytest.approx(240 - FOCAL)
    assert DOWN_45.project([1.0, 0.0, 0.0])[2] < 0, "behind"


def test_the_car_stands_a_little_below_the_middle():
    """0.82 m ahead and 0.85 m below: 46.03 degrees down, 6.03 below the axis."""
    camera = ChaseCamera.behind(5.0, -1.0, 0.7)
    column, row, _ = camera.project([5.0, -1.0, 0.0])
    assert (column, row) == pytest.approx((320, 240 + FOCAL * np.tan(np.deg2rad(6.03))), abs=0.05)


@given(
    x=st.floats(-5, 5), y=st.floats(-5, 5), yaw=st.floats(-4, 4), row=st.integers(0, 479), column=st.integers(0, 639)
)
def test_the_row_table_and_the_projection_agree(x, y, yaw, row, column):
    """The ground that a pixel's row walks over is projected onto that pixel."""
    camera = ChaseCamera(x, y, yaw)
    forward, lateral, scale, _ = camera.rows(0.005, 5)[row]
    ahead, left = forward / scale, (WIDTH / 2 - 0.5 - column) * lateral / scale
    ground = [x + ahead * np.cos(yaw) - left * np.sin(yaw), y + ahead * np.sin(yaw) + left * np.cos(yaw), 0.0]
    assert camera.project(ground)[:2] == pytest.approx([column + 0.5, row + 0.5], abs=1e-6)


def straight() -> Track:
    """Along x from 0 to 9, 0.8 m wide: white from 0.35 m to both sides, grass from 0.4 m."""
    x = np.linspace(0, 9, 31)
    lines = [np.column_stack([x, np.full(31, y)]) for y in (0.0, 0.4, -0.4)]
    return Track.from_route(np.hstack(lines), "straight")


def test_road_lines_dashes_and_grass_are_seen_where_they_are():
    camera = ChaseCamera.behind(4.0, 0.0, 0.0)
    picture = ChaseView(straight()).frame(camera, [])
    for ahead in (3.6, 4.0, 4.5, 5.5):
        for left, expected in ((0.2, ROAD), (0.375, LINE), (-0.375, LINE), (-0.2, ROAD)):
            column, row, _ = camera.project([ahead, left, 0.0])
            assert near(picture, column, row, expected), (ahead, left)
        for left in (0.5, -0.5):
            column, row, _ = camera.project([ahead, left, 0.0])
            assert near(picture, column, row, GRASS[0]) or near(picture, column, row, GRASS[1]), (ahead, left)
    middle = np.column_stack([np.linspace(3.6, 5.0, 200), np.zeros((200, 2))])
    column, row, _ = camera.project(middle).T
    seen = [tuple(picture[int(r), int(k)]) for k, r in zip(column, row, strict=True)]
    assert DASH in seen
    assert ROAD in seen


def test_a_level_camera_sees_the_horizon():
    camera = ChaseCamera(4.0, 0.0, 0.0, height=0.3, pitch=0.0)
    picture = ChaseView(straight()).frame(camera, []).astype(int)
    assert (picture[:230, :, 2] > 200).all(), "sky, blue above and light at the horizon"
    green = picture[250:270, :30]
    assert (green[..., 1] > green[..., 2]).all()


def test_grass_goes_on_beyond_the_picture_of_the_ground():
    picture = ChaseView(straight()).frame(ChaseCamera(400.0, -300.0, 1.0), [])
    assert {tuple(color) for color in picture.reshape(-1, 3)} == set(GRASS)


RED, BLUE = (220, 20, 20), (20, 20, 220)


def cube(x: float, y: float, color, height: float = 0.2) -> Solid:
    return Solid(x, y, 0.0, Shape([Cuboid(0.0, 0.0, 0.1, 0.1, 0.0, height, color)]))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_what_is_near_hides_what_is_far(order: tuple[int, int]):
    camera = ChaseCamera.behind(4.0, 0.0, 0.0)
    things = [cube(4.2, 0.0, RED), cube(4.6, 0.0, BLUE)]
    picture = ChaseView(straight()).frame(camera, [things[i] for i in order]).astype(int)
    column, row, _ = camera.project([4.2, 0.0, 0.2])
    assert near(picture, column, row, RED), "its top"
    column, row, _ = camera.project([4.1, 0.0, 0.1])
    assert picture[int(row), int(column), 0] > 2 * picture[int(row), int(column), 2], "its back, in the shade"
    # A point low on the far cube's back is behind the near cube.
    column, row, _ = camera.project([4.5, 0.0, 0.02])
    assert picture[int(row), int(column), 0] > picture[int(row), int(column), 2]
    column, row, _ = camera.project([4.6, 0.0, 0.2])
    assert near(picture, column, row, BLUE)


def test_faces_are_shaded_and_things_cast_a_shadow():
    camera = ChaseCamera.behind(4.0, 0.0, 0.0)
    picture = ChaseView(straight()).frame(camera, [cube(4.5, 0.0, RED)]).astype(int)
    top, back = camera.project([[4.5, 0.0, 0.2], [4.4, 0.0, 0.1]])[:, :2].astype(int)
    assert picture[top[1], top[0], 0] > 1.15 * picture[back[1], back[0], 0]
    column, row, _ = camera.project([4.55, -0.13, 0.0])
    assert picture[int(row), int(column)].mean() < 0.8 * np.mean(ROAD)


def test_what_stands_between_camera_and_car_lets_it_shine_through():
    camera = ChaseCamera.behind(4.0, 0.0, 0.0)
    empty = ChaseView(straight()).frame(camera, [])
    picture = ChaseView(straight()).frame(camera, [cube(3.75, 0.0, BLUE)]).astype(int)
    column, row, _ = camera.project([3.75, 0.0, 0.2])
    seen, under = picture[int(row), int(column)], empty[int(row), int(column)]
    assert under[2] + 20 < seen[2] < 150


def test_the_camera_turns_after_the_car_and_jumps_with_it():
    heading = np.array([170.0, 180.0, -170.0, -170.0, 20.0])
    cameras = follow(np.array([0, 0.1, 0.2, 0.3, 5.0]), np.zeros(5), heading)
    yaw = np.degrees([camera.yaw for camera in cameras])
    assert yaw[0] == pytest.approx(170)
    assert yaw[0] < yaw[1] < yaw[2] < yaw[3] < 190, "the short way round"
    assert yaw[4] % 360 == pytest.approx(20)
    for camera, x in zip(cameras, (0, 0.1, 0.2, 0.3, 5.0), strict=True):
        assert np.hypot(camera.x - x, camera.y) == pytest.approx(0.82)


def test_ground_levels_halve_the_picture_and_the_line_of_the_start_is_chequered():
    ground = Ground.of(ring())
    for (o1, s1, w1, h1), (o2, s2, w2, h2) in zip(ground.levels[:-1], ground.levels[1:], strict=True):
        assert (w1, h1) == (2 * w2, 2 * h2) == (s1, 2 * h2)
        fine, coarse = ground.texels[o1 : o1 + s1 * h1].reshape(h1, w1), ground.texels[o2 : o2 + s2 * h2]
        red = (fine & np.uint64(255)).astype(int).reshape(h2, 2, w2, 2).mean(axis=(1, 3))
        assert np.abs((coarse.reshape(h2, s2) & np.uint64(255)).astype(int) - red).max() < 1
    offset, stride, width, height = ground.levels[0]
    picture = ground.texels[offset : offset + stride * height].reshape(height, width)
    rows = ((np.array([-0.04, 0.04]) - ground.origin[1]) / ground.texel).astype(int)
    columns = ((np.linspace(2.7, 3.3, 60) - ground.origin[0]) / ground.texel).astype(int)
    light = (picture[rows][:, columns] & np.uint64(255)).astype(int) > 130
    assert light.any()
    assert not light.all()
    assert (light[0] != light[1]).mean() > 0.8


def test_quads_are_filled_in_their_order_with_smooth_edges_whichever_way_round():
    for turn in (1, -1):
        picture = np.zeros((40, 40, 3), np.uint8)
        square = np.array([[10.0, 10.0], [30.0, 10.0], [30.0, 30.0], [10.0, 30.0]])[::turn]
        fill_quads(picture, np.stack([square, square / 2]), np.array([[200.0, 0, 0, 1.0], [0, 200.0, 0, 0.5]]))
        assert (picture[20, 20] == (200, 0, 0)).all()
        assert (picture[12, 12] == (100, 100, 0)).all()
        assert (picture[2, 2] == 0).all()
        assert 0 < picture[20, 9, 0] < 100


@given(points=st.lists(st.tuples(st.floats(-1e4, 1e4), st.floats(-1e4, 1e4)), min_size=4, max_size=4))
def test_no_quad_draws_outside_the_picture(points):
    whole = np.zeros((30, 20, 3), np.uint8)
    fill_quads(whole[10:20], np.array([points], float), np.array([[255.0, 255.0, 255.0, 1.0]]))
    assert (whole[:10] == 0).all()
    assert (whole[20:] == 0).all()


@given(left=st.integers(-30, 60), top=st.integers(-30, 60))
def test_a_stencil_is_cut_at_the_picture_s_border(left: int, top: int):
    picture, stencil = np.zeros((32, 48, 3), np.uint8), np.full((8, 12, 4), 255, np.uint8)
    stamp(picture, stencil, left, top)
    expected = np.zeros((32, 48), bool)
    expected[max(top, 0) : max(top + 8, 0), max(left, 0) : max(left + 12, 0)] = True
    assert ((picture == 255).all(axis=2) == expected).all()


@given(color=st.tuples(*[st.integers(0, 255)] * 3))
def test_colours_are_bt601_s(color):
    """Against the standard's own formula, in floats."""
    planes = np.empty((6, 4), np.uint8)
    to_yuv420(np.full((4, 4, 3), color, np.uint8), planes)
    red, green, blue = np.array(color) / 255
    luma = 0.299 * red + 0.587 * green + 0.114 * blue
    wanted = 16 + 219 * luma, 128 + 224 * (blue - luma) / 1.772, 128 + 224 * (red - luma) / 1.402
    assert (planes[:4] == planes[0, 0]).all()
    for seen, value in zip((planes[0, 0], planes[4, 0], planes[5, 0]), wanted, strict=True):
        assert abs(int(seen) - value) <= 1.6


def test_pack_keeps_colours_apart():
    assert pack(np.array([[1, 2, 3]], np.uint8))[0] == 1 | 2 << 16 | 3 << 32
