"""The simulator's physics against closed forms and hand-computed figures; docs/physics.md says them in words."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.sim import step_kernels as kernels
from kuberacer.sim.camera import Camera
from kuberacer.sim.race_sim import RaceSim, SimConfig
from kuberacer.sim.randomization import Draws, randomize
from kuberacer.sim.texture import GRASS, LINE, ROAD
from sim.roads import oval, straight
from sim.test_car import LIMIT, a_car

STEP = kernels.POLICY_STEP
commands = st.lists(st.tuples(st.floats(-40.0, 40.0), st.floats(-1.0, 5.0)), min_size=1, max_size=25)


def moving(speed: float, steering_deg: float = 0.0, **state) -> np.ndarray:
    return a_car(speed=speed, steering=np.deg2rad(steering_deg), **state)


def driven(cars: np.ndarray, steering_deg: float, speed: float, substeps: int) -> np.ndarray:
    """(substeps + 1, 4): x, y, heading (unwrapped), speed of one car."""
    rows = [[float(cars[key][0]) for key in ("x", "y", "heading", "speed")]]
    for _ in range(substeps):
        kernels.drive(cars[0], np.deg2rad(steering_deg), speed)
        rows.append([float(cars[key][0]) for key in ("x", "y", "heading", "speed")])
    found = np.array(rows)
    found[:, 2] = np.unwrap(found[:, 2])
    return found


# Grip, with whatever is commanded


@given(commands=commands, seed=st.integers(0, 2**32), episode=st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_a_randomised_car_never_has_more_than_its_grip(commands, seed, episode):
    cars = a_car()
    randomize(cars[0], Draws(seed, 0, episode), kernels.SUBSTEP)
    limit, bias = float(cars["grip"][0]) * LIMIT, abs(float(cars["steering_bias"][0]))
    for steering, speed in commands:
        rows = driven(cars, np.clip(steering, -30, 30), np.clip(speed, 0, 4), kernels.SUBSTEPS)
        turn, before, after = np.diff(rows[:, 2]), rows[:-1, 3], rows[1:, 3]
        lateral, forward = after * turn / kernels.SUBSTEP, (after - before) / kernels.SUBSTEP
        assert np.hypot(lateral, forward).max() <= limit * (1 + 1e-6) + 1e-9
        assert np.abs(forward).max() <= kernels.MAX_ACCELERATION + 1e-6
        assert (after >= 0.0).all()
        assert abs(float(cars["steering"][0])) <= np.deg2rad(30.0) + bias + 1e-9


@given(commands=commands, seed=st.integers(0, 1000), randomised=st.booleans())
@settings(max_examples=25, deadline=None)
def test_the_simulator_as_a_whole_keeps_to_grip_and_top_speed(commands, seed, randomised):
    """From the poses that it tells: |turn| · speed <= μ g · time, and no car goes back or faster than 4 m/s."""
    sim = RaceSim(oval(), 4, seed=seed, config=SimConfig(randomization=randomised))
    sim.reset()
    for steering, speed in commands:
        cars = sim._cars.copy()
        sim.advance(np.full(4, steering), np.full(4, speed))
        turn = (sim._cars["heading"] - cars["heading"] + np.pi) % (2 * np.pi) - np.pi
        slowest = np.minimum(cars["speed"], sim._cars["speed"])  # within a step the speed goes one way
        assert (np.abs(turn) * slowest <= cars["grip"] * LIMIT * STEP * (1 + 1e-6) + 1e-9).all()
        gone = np.hypot(sim._cars["x"] - cars["x"], sim._cars["y"] - cars["y"])
        assert (gone <= 4.0 * STEP + 1e-9).all()
        ahead = np.cos(cars["heading"]) * (sim._cars["x"] - cars["x"])
        ahead += np.sin(cars["heading"]) * (sim._cars["y"] - cars["y"])
        assert (ahead >= -1e-12).all()
        assert (sim._cars["speed"] >= 0.0).all()


def test_braking_in_a_bend_takes_from_what_turns_the_car():
    """At the limit: 2 m/s at full lock turns with 4.905 m/s². With the brake on, a and v² / r stay on the circle."""
    rolling, braking = driven(moving(2.0, 30.0), 30.0, 2.0, 12), driven(moving(2.0, 30.0), 30.0, 0.0, 12)
    for rows in (rolling, braking):
        speed, turn = rows[1:, 3], np.diff(rows[:, 2]) / kernels.SUBSTEP
        both = np.hypot(speed * turn, np.diff(rows[:, 3]) / kernels.SUBSTEP)
        sliding = rows[:-1, 3] ** 2 * np.tan(np.deg2rad(30.0)) / kernels.WHEELBASE > LIMIT * 1.05
        assert both[sliding] == pytest.approx(LIMIT, rel=1e-6)
    first = [abs(rows[1, 3] * (rows[1, 2] - rows[0, 2])) / kernels.SUBSTEP for rows in (rolling, braking)]
    assert first[0] == pytest.approx(LIMIT)
    assert first[1] < 0.99 * LIMIT


def test_a_car_that_is_too_fast_slides_wide():
    """At full lock the bicycle's radius is 0.284 m; at 2 m/s grip gives v² / (μ g) = 0.815 m."""
    rows = driven(moving(2.0, 30.0), 30.0, 2.0, 60)
    radius = np.hypot(*np.diff(rows[:, :2], axis=0).T).sum() / (rows[-1, 2] - rows[0, 2])
    assert radius == pytest.approx(4.0 / 4.905, rel=1e-3)
    slow = driven(moving(0.5, 30.0), 30.0, 0.5, 60)
    radius = np.hypot(*np.diff(slow[:, :2], axis=0).T).sum() / (slow[-1, 2] - slow[0, 2])
    assert radius == pytest.approx(0.164 / np.tan(np.deg2rad(30.0)), rel=1e-3)


@given(steering=st.floats(3.0, 30.0), share=st.floats(0.1, 0.95), side=st.sampled_from([-1.0, 1.0]))
@settings(max_examples=40, deadline=None)
def test_below_the_grip_the_radius_is_the_bicycle_s(steering, share, side):
    """The distance of all poses from one point: wheelbase / tan(steering), whatever the speed."""
    radius = kernels.WHEELBASE / np.tan(np.deg2rad(steering))
    speed = share * min(np.sqrt(LIMIT * radius), 4.0)
    rows = driven(moving(speed, side * steering), side * steering, speed, 100)
    middle = np.array([0.0, side * radius])
    chord = speed * kernels.SUBSTEP
    assert np.hypot(*(rows[:, :2] - middle).T) == pytest.approx(radius, abs=1e-6 + chord**2 / radius)


# Motor, brake and servo


def test_full_throttle_is_four_metres_a_second_squared_and_then_the_lag():
    """v = 4 t until 3.6 m/s after 0.9 s, then 4 - 0.4 exp(-(t - 0.9 s) / 0.1 s)."""
    rows = driven(moving(0.0), 0.0, 4.0, 90)
    time = np.arange(91) * kernels.SUBSTEP
    expected = np.where(time < 0.9, 4.0 * time, 4.0 - 0.4 * np.exp(-(time - 0.9) / 0.1))
    assert rows[:, 3] == pytest.approx(expected, abs=0.04)
    assert rows[:54, 3] == pytest.approx(4.0 * time[:54])


def test_braking_from_top_speed_takes_two_metres_and_never_goes_back():
    """4² / (2 · 4 m/s²) = 2 m, and a little for the lag at the end."""
    rows = driven(moving(4.0), 0.0, 0.0, 180)
    assert 2.0 - 4.0 * kernels.SUBSTEP <= rows[-1, 0] <= 2.1
    assert (np.diff(rows[:, 0]) >= 0.0).all()
    assert (np.diff(rows[:, 3]) <= 0.0).all()
    assert rows[-1, 3] == pytest.approx(0.0, abs=1e-6)


@given(steering=st.floats(-30.0, 30.0), start=st.floats(-30.0, 30.0), lag=st.floats(0.5, 2.0))
@settings(max_examples=30, deadline=None)
def test_the_servo_is_a_first_order_lag(steering, start, lag):
    """δ = wanted + (start - wanted) exp(-t / 0.06 s): 63 percent of the way after one time constant."""
    cars = moving(0.0, start)
    cars["steering_gain"] = 1.0 - np.exp(-kernels.SUBSTEP / (0.06 * lag))
    for substep in range(1, 25):
        kernels.drive(cars[0], np.deg2rad(steering), 0.0)
        expected = steering + (start - steering) * np.exp(-substep * kernels.SUBSTEP / (0.06 * lag))
        assert np.rad2deg(cars["steering"][0]) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("latency", range(kernels.LATENCY_SLOTS))
def test_latency_is_whole_steps(latency):
    """A car with k steps of latency does at step n + k what one without does at step n."""
    speeds = []
    for late in (0, latency):
        sim = RaceSim(straight(length=9.0), 1, config=SimConfig(start="line"))
        sim.reset()
        sim._cars["latency"] = late
        seen = []
        for _ in range(12):
            sim.advance(np.zeros(1), np.array([2.0]))
            seen.append(float(sim._cars["speed"][0]))
        speeds.append(seen)
    assert speeds[1] == [0.0] * latency + speeds[0][: 12 - latency]


# The camera


@pytest.mark.parametrize(
    ("ahead", "left", "row", "column"),
    [
        # depth = ahead · cos 15° + 0.13 · sin 15°, below = -ahead · sin 15° + 0.13 · cos 15°, focal length 126.2
        (0.5, 0.275, 59.1, 12.8),  # depth 0.5166, below -0.0038
        (1.0, 0.275, 43.2, 45.3),  # 0.9996, -0.1332
        (2.0, 0.275, 34.8, 62.5),  # 1.9655, -0.3921
        (1.0, -0.275, 43.2, 114.7),
    ],
)
def test_a_painted_line_is_where_a_hand_computes_it(ahead, left, row, column):
    """The white border of a road 0.6 m wide is 0.25 to 0.30 m beside its middle; `ahead` of the camera."""
    sim = RaceSim(straight(length=9.0, width=0.6, rows=31), 1)
    sim.place(np.array([1.14]), np.zeros(1), np.zeros(1))  # the front; the origin is at 1.0, the camera at 1.145
    sim.render()
    frame = sim.frames[0, 0]
    assert abs(int(frame[int(row), int(column)]) - LINE) <= 25
    pixel = 126.2 / {0.5: 0.5166, 1.0: 0.9996, 2.0: 1.9655}[ahead]  # pixels a metre there
    outside, inside = column - np.sign(left) * 0.06 * pixel, column + np.sign(left) * 0.06 * pixel
    if outside >= 0:
        assert abs(int(frame[int(row), int(outside)]) - GRASS) <= 25
    assert abs(int(frame[int(row), int(inside)]) - ROAD) <= 25


def test_stereo_s_disparity_is_base_times_focal_length_over_depth():
    """Cameras 0.06 m apart see the border 1 m ahead 126.2 · 0.06 / 0.9996 = 7.6 pixels apart."""
    sim = RaceSim(straight(length=9.0, width=0.6, rows=31), 1, sensors=("STEREO_CAMERAS",))
    sim.place(np.array([1.14]), np.zeros(1), np.zeros(1))
    sim.render()
    middles = []
    for view in sim.frames[0]:
        bright = np.flatnonzero(view[43, :65] > 0.5 * (int(LINE) + int(ROAD)))
        middles.append(bright.mean())
    assert middles[0] - middles[1] == pytest.approx(7.6, abs=1.0)


def test_a_pixel_is_an_angle_and_the_field_of_view_is_the_sensor_s():
    """160 pixels see 1.13 rad = 64.7°: ± 80 pixels at the focal length."""
    camera = Camera()
    assert 2 * np.arctan(80 / camera.focal_length) == pytest.approx(1.13)
    assert camera.focal_length == pytest.approx(80 / np.tan(0.565))
