"""The donkey road: its units and signs, what its camera sees, and that a car does the same in any company."""

import numpy as np
import pytest

from kuberacer.sim.donkey_world import CAMERA, FULL_THROTTLE, HALF_ROAD, STEPS_PER_SECOND, UNIT, DonkeyWorld, road

EVERY = np.ones(3, bool)
GRASS, ASPHALT, WHITE, YELLOW, SKY = (86, 126, 58), (74, 76, 80), (240, 240, 236), (248, 196, 30), (150, 190, 226)


@pytest.fixture
def world() -> DonkeyWorld:
    world = DonkeyWorld(3)
    world.reset(EVERY, [4, 5, 6])
    return world


def test_the_edges_of_the_road_are_where_its_units_say(world):
    assert road().width == pytest.approx(2 * HALF_ROAD * UNIT, abs=1e-3)
    assert 300 < road().length / UNIT < 500


def test_cars_start_on_the_middle_of_the_road_at_places_of_their_own(world):
    assert np.abs(world.cte).max() < 0.01
    assert (world.speed == 0).all()
    places = np.stack([world.x, world.z], axis=1)
    assert np.linalg.norm(places[:, None] - places, axis=2)[np.triu_indices(3, 1)].min() > 1.0
    world.reset(EVERY, [4, 5, 6])
    assert np.linalg.norm(np.stack([world.x, world.z], axis=1) - places, axis=1).min() > 1.0  # the next episode's


def test_steering_right_leads_to_the_right_of_the_centre_line(world):
    world.reset(EVERY, [4, 4, 4])
    for _ in range(12):
        world.advance(np.array([-1.0, 0.0, 1.0]), 0.3)
    left, straight, right = world.cte
    assert left < straight - 1 < right - 2


def test_the_throttle_is_a_speed_after_a_second(world):
    for _ in range(STEPS_PER_SECOND):
        world.advance(np.zeros(3), 0.3)
    assert world.speed == pytest.approx(0.3 * FULL_THROTTLE / UNIT, rel=0.01)
    x, z = world.x, world.z
    world.advance(np.zeros(3), 0.3)
    moved = np.hypot(world.x - x, world.z - z)
    assert moved * STEPS_PER_SECOND == pytest.approx(world.speed, rel=0.02)
    assert (world.y == 0).all()


def test_a_car_does_the_same_in_any_company():
    rng = np.random.default_rng(1)
    steering = rng.uniform(-1, 1, (30, 5))
    many, one = DonkeyWorld(5), DonkeyWorld(1)
    many.reset(np.ones(5, bool), [7, 8, 9, 10, 11])
    one.reset(np.ones(1, bool), [10])
    for step, row in enumerate(steering):
        many.advance(row, 0.3)
        one.advance(row[3:4], 0.3)
        if step == 14:
            many.reset(np.array([True, False, False, True, False]), [7, 8, 9, 10, 11])
            one.reset(np.ones(1, bool), [10])
        assert np.array_equal(many.frames[3], one.frames[0])
        assert (many.cte[3], many.x[3], many.z[3]) == (one.cte[0], one.x[0], one.z[0])
    many.restart()
    many.reset(np.ones(5, bool), [10, 0, 0, 0, 0])
    one.restart()
    one.reset(np.ones(1, bool), [10])
    assert many.x[0] == one.x[0]


def nearest(pixels: np.ndarray) -> np.ndarray:
    """Which of the five colours each pixel is closest to."""
    colors = np.array([GRASS, ASPHALT, WHITE, YELLOW, SKY], float)
    return ((pixels[..., None, :].astype(float) - colors) ** 2).sum(axis=-1).argmin(axis=-1)


def test_the_camera_sees_the_road_in_its_colours(world):
    frames = world.frames
    assert frames.shape == (3, 120, 160, 3)
    assert frames.dtype == np.uint8
    kinds = nearest(frames)
    horizon = 60 - CAMERA.focal_length * np.tan(CAMERA.pitch)
    assert (kinds[:, : int(horizon) - 1] == 4).all()
    below = kinds[:, 45:]
    assert (below == 4).mean() < 0.005  # white against asphalt, where a pixel sees both
    for car in range(3):
        shares = np.bincount(below[car].ravel(), minlength=5) / below[car].size
        assert shares[1] > 0.4  # asphalt
        assert shares[0] > 0.02  # grass
        assert shares[2] > 0.003  # its white edge
        assert 0.002 < shares[3] < 0.15  # dashes of the centre line
    # The road goes through the middle of the bottom row, and its dashes lie straight ahead of a car on the centre line.
    assert (kinds[:, -1] == 1).mean() > 0.5
    at = [np.flatnonzero((kinds[car, 100:] == 3).any(axis=0)) for car in range(3)]
    assert all(55 < columns.mean() < 105 for columns in at if len(columns))


def test_off_the_road_there_is_grass(world):
    for _ in range(90):
        world.advance(np.array([-0.4, -0.4, -0.4]), 0.3)
        if np.abs(world.cte).min() > HALF_ROAD + 4:
            break
    out = np.abs(world.cte) > HALF_ROAD + 4
    assert out.any()
    assert (nearest(world.frames[out][:, -1]) == 0).all()
