"""Boxes and cars in the camera, against hand-computed points and against rays traced pixel by pixel."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.sim.camera import HEIGHT, WIDTH, Camera
from kuberacer.sim.race_sim import RaceSim, SimConfig
from kuberacer.sim.scene import BOX_KINDS, INNER, Bots, Boxes, Scene
from sim.roads import straight

ROAD = straight(length=40.0, width=1.0, rows=81)
CAMERA = Camera()


def pixel_of(ahead: float, left: float, up: float) -> tuple[float, float]:
    """(column, row) of a point `ahead` of the camera, `left` of it and `up` above the ground: 126.2 pixels of focal
    length, 15 degrees down, 0.13 m high."""
    pitch, down = np.deg2rad(15.0), 0.130 - up
    depth = ahead * np.cos(pitch) + down * np.sin(pitch)
    below = -ahead * np.sin(pitch) + down * np.cos(pitch)
    return 80.0 - 126.2 * left / depth, 60.0 + 126.2 * below / depth


def seen(sim: RaceSim, x: float, y: float, heading: float) -> np.ndarray:
    """(views, height, width) with the cameras' middle at (x, y)."""
    angle = np.deg2rad(heading)
    front = (0.14 - 0.145) * np.array([np.cos(angle), np.sin(angle)])
    sim.place(np.array([x + front[0]]), np.array([y + front[1]]), np.array([heading]))
    sim.render()
    return sim.frames[0].copy()


def scene(**more) -> RaceSim:
    sim = RaceSim(ROAD, 1, config=SimConfig(start="line", scene=Scene(**more)))
    sim.reset()
    return sim


def test_hand_computed_corners_of_a_box():
    """A box at (20, 0.25), 0.4 x 0.3 x 0.25 m, from 1 m before its front, straight ahead."""
    assert pixel_of(1.0, 0.15, 0.0) == pytest.approx((61.06, 43.18), abs=0.05)
    assert pixel_of(1.0, -0.15, 0.25) == pytest.approx((100.25, 9.41), abs=0.05)
    sim = scene(boxes=Boxes(count=1, places=((0.5, INNER),)))
    frame = seen(sim, 18.8, 0.25, 0.0)[0]
    sim.objects["kind"] = -1
    box = frame != seen(sim, 18.8, 0.25, 0.0)[0]
    rows, columns = np.flatnonzero(box.any(axis=1)), np.flatnonzero(box.any(axis=0))
    left, bottom = pixel_of(1.0, 0.15, 0.0)
    right, top = pixel_of(1.0, -0.15, 0.25)
    upper_left = pixel_of(1.0, 0.15, 0.25)[0]
    assert (rows[0], rows[-1] + 1) == (np.ceil(top - 0.5), np.ceil(bottom - 0.5))
    assert columns[0] == np.ceil(min(left, upper_left) - 0.5)
    assert columns[-1] + 1 == np.ceil(max(right, 160 - min(left, upper_left)) - 0.5)
    assert box[rows[0] : rows[-1], 63:97].all()


def test_the_near_one_hides_the_far_one_whatever_their_order():
    for first, second in (((0.5, INNER), (0.55, INNER)), ((0.55, INNER), (0.5, INNER))):
        sim = scene(boxes=Boxes(count=2, places=(first, second)))
        sim.objects["grey"][0] = np.where(sim.objects["x"][0] < 21.0, 200.0, 20.0)
        frame = seen(sim, 18.8, 0.25, 0.0)[0]
        alone = scene(boxes=Boxes(count=1, places=((0.5, INNER),)))
        alone.objects["grey"] = 200.0
        assert np.array_equal(frame, seen(alone, 18.8, 0.25, 0.0)[0])
    sim.objects["x"][0] = sim.objects["x"][0][::-1]
    assert not np.array_equal(seen(sim, 18.8, 0.25, 0.0)[0], frame), "now the dark one is in front"


def test_a_box_at_the_lens_fills_the_frame_and_one_behind_nothing():
    sim = scene(boxes=Boxes(count=1, places=((0.5, INNER),)))
    sim.objects["half_width"] = 2.0
    sim.objects["height"] = 3.0
    wall = seen(sim, 19.8 - 0.03, 0.25, 0.0)[0]
    assert len(np.unique(wall)) <= 2  # the box and its tape
    behind = seen(sim, 20.3, 0.25, 0.0)[0]
    sim.objects["kind"] = -1
    assert np.array_equal(behind, seen(sim, 20.3, 0.25, 0.0)[0])


def cuboids(thing: np.void) -> list[tuple]:
    """(half length, half width, bottom, top, grey, band, band grey) of what an object is drawn as."""
    long, wide, high, grey = (float(thing[key]) for key in ("half_length", "half_width", "height", "grey"))
    if thing["kind"] >= 3:
        body = (long, wide, 0.0, 0.6 * high, grey, (0.0, 1.0, 0.0, 0.35), 28.0)
        return [body, (0.55 * long, 0.8 * wide, 0.6 * high, high, 0.55 * grey, (0.0, 0.0, 0.0, 0.0), 0.0)]
    bands = [((0.44, 0.56, 0.0, 1.0), 0.7 * grey), ((0.0, 1.0, 0.35, 0.65), 240.0), ((0.35, 0.65, 0.0, 1.0), 45.0)]
    return [(long, wide, 0.0, high, grey, *bands[int(thing["kind"])])]


def traced(background: np.ndarray, things: np.ndarray, eye: np.ndarray, yaw: float, camera: Camera) -> np.ndarray:
    """The frame by one ray a pixel."""
    column, row = np.meshgrid(np.arange(WIDTH) + 0.5, np.arange(HEIGHT) + 0.5)
    left, below = (80 - column) / camera.focal_length, (row - 60) / camera.focal_length
    cos, sin = np.cos(camera.pitch), np.sin(camera.pitch)
    ahead, down = cos - below * sin, sin + below * cos
    ray = np.stack([ahead * np.cos(yaw) - left * np.sin(yaw), ahead * np.sin(yaw) + left * np.cos(yaw), -down], axis=-1)
    frame, nearest = background.astype(float), np.full((HEIGHT, WIDTH), np.inf)
    for thing in things:
        away = np.hypot(thing["x"] - eye[0], thing["y"] - eye[1])
        turn = np.array([[np.cos(thing["heading"]), np.sin(thing["heading"]), 0], [0, 0, 0], [0, 0, 1]])
        turn[1] = [-turn[0, 1], turn[0, 0], 0]
        for long, wide, low, high, grey, band, band_grey in cuboids(thing):
            middle = np.array([thing["x"], thing["y"], 0.5 * (low + high)])
            half = np.array([long, wide, 0.5 * (high - low)])
            at, step = turn @ (eye - middle), ray @ turn.T
            with np.errstate(divide="ignore"):
                sides = np.stack([(-half - at) / step, (half - at) / step])
            enter, leave = sides.min(axis=0), sides.max(axis=0)
            axis, begin = enter.argmax(axis=-1), enter.max(axis=-1)
            hit = (begin <= leave.min(axis=-1)) & (begin > 0) & (begin < nearest)
            point = at + begin[..., None] * step
            sign = -np.sign(np.take_along_axis(step, axis[..., None], axis=-1)[..., 0])
            for k in (0, 1):
                normal = turn[k, :2] * sign[..., None]
                light = 0.78 + 0.17 * (normal @ [0.8, 0.6])
                # Across the side: 0 at the end that is on the right of who looks along the normal.
                across = sign * (point[..., 1] / wide if k == 0 else -point[..., 0] / long)
                share, rise = 0.5 * (across + 1), (point[..., 2] + half[2]) / (2 * half[2])
                striped = (share > band[0]) & (share < band[1]) & (rise > band[2]) & (rise < band[3]) & (away < 5.0)
                tone = np.floor(np.where(striped, band_grey, grey) * light)
                frame = np.where(hit & (axis == k), tone, frame)
            frame = np.where(hit & (axis == 2), np.floor(grey), frame)
            nearest = np.where(hit, begin, nearest)
    return frame.astype(np.uint8)


things = st.lists(
    st.tuples(st.floats(0.7, 7.0), st.floats(-1.2, 1.2), st.floats(-3.1, 3.1), st.integers(0, 3)),
    min_size=1,
    max_size=4,
)


@given(things=things, yaw=st.floats(-180, 180), y=st.floats(-0.4, 0.4))
@settings(max_examples=60, deadline=None)
def test_frames_equal_rays(things, yaw, y):
    kept: list[tuple] = []
    for ahead, left, heading, kind in things:  # what stands apart from all before it
        if all(np.hypot(ahead - other[0], left - other[1]) > 0.7 for other in kept):
            kept.append((ahead, left, heading, kind))
    sim, angle = RAYS, np.deg2rad(yaw)
    row = sim.objects[0]
    row["kind"] = -1
    background = seen(sim, 20.0, y, yaw)[0]
    for thing, (ahead, left, heading, kind) in zip(row, kept, strict=False):
        thing["x"] = 20.0 + ahead * np.cos(angle) - left * np.sin(angle)
        thing["y"] = y + ahead * np.sin(angle) + left * np.cos(angle)
        thing["heading"], thing["kind"] = heading, kind
        size = (0.2, 0.15, 0.25) if kind < 3 else (0.162, 0.098, 0.125)
        thing["half_length"], thing["half_width"], thing["height"] = size
        thing["grey"] = 100.0 + 20 * kind
    frame = seen(sim, 20.0, y, yaw)[0]
    wanted = traced(background, row[: len(kept)], np.array([20.0, y, 0.130]), angle, CAMERA)
    wrong = np.abs(frame.astype(int) - wanted.astype(int)) > 1
    assert wrong.sum() <= 12, f"{wrong.sum()} pixels differ"  # rounding at edges


RAYS = scene(boxes=Boxes(count=4))


@pytest.mark.parametrize("kind", BOX_KINDS)
def test_the_kinds_of_boxes_look_different(kind):
    looks = {
        name: seen(scene(boxes=Boxes(count=1, kind=name, places=((0.5, INNER),))), 18.8, 0.25, 10.0)[0]
        for name in BOX_KINDS
    }
    for other in set(BOX_KINDS) - {kind}:
        assert (np.abs(looks[kind].astype(int) - looks[other].astype(int)) > 20).mean() > 0.01


def test_a_car_s_colour_shows_and_it_shows_in_both_cameras():
    frames = []
    for color in ("Black", "White"):
        config = SimConfig(start="line", scene=Scene(together=2))
        sim = RaceSim(ROAD, 2, config=config, sensors=("STEREO_CAMERAS",), colors=("Red", color))
        sim.reset()
        sim.place(np.array([10.0, 10.8]), np.zeros(2), np.zeros(2))
        sim.render()
        frames.append(sim.frames[0].astype(int))
    black, white = frames
    assert (white - black > 60).any(axis=(1, 2)).all()
    columns = [np.flatnonzero((white[view] - black[view] > 60).any(axis=0)).mean() for view in (0, 1)]
    middle = 10.8 - 10.0 - 0.058 - 0.162 + 0.14 - 0.145  # the depth of its back, about
    assert columns[0] - columns[1] == pytest.approx(126.2 * 0.06 / middle, rel=0.25)


def test_a_randomised_camera_sees_objects_where_it_sees_the_ground():
    """With another pitch, height and field of view the box's foot stays on the ground that the row table shows."""
    config = SimConfig(start="line", scene=Scene(boxes=Boxes(count=1, places=((0.5, INNER),))), randomization=True)
    for seed in range(6):
        sim = RaceSim(ROAD, 1, seed=seed, config=config)
        sim.reset()
        sim._cars["noise"] = sim._cars["blur"] = sim._cars["drop"] = 0.0
        sim._lookups[0] = np.arange(256)
        height, cos, sin, focal = sim._lenses[0]
        frame = seen(sim, 18.8, 0.25, 0.0)[0]
        sim.objects["kind"] = -1
        box = frame != seen(sim, 18.8, 0.25, 0.0)[0]
        foot = np.flatnonzero(box[:, 80])[-1]
        table = sim._row_tables[0]
        forward = table[:, 0] / np.where(table[:, 2] > 0, table[:, 2], np.nan)
        assert forward[foot] > 1.0 > forward[foot + 1]  # of the camera: the box's front
        assert (height, cos) != (0.130, np.cos(np.deg2rad(15)))
        assert cos**2 + sin**2 == pytest.approx(1.0)
        assert focal != pytest.approx(126.2, abs=1e-3)


def test_boxes_are_as_bright_or_dark_as_chance_makes_them():
    config = SimConfig(scene=Scene(bots=Bots(count=3)), randomization=True)
    sim = RaceSim(ROAD, 8, config=config)
    sim.reset()
    greys = sim.objects["grey"]
    assert len(np.unique(greys)) == 24
    assert (np.abs(greys - 185) <= 40).all()
