"""Motion: actuators, kinematic bicycle, friction circle."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.sim import step_kernels as kernels
from kuberacer.sim.randomization import SPEED_LAG, STEERING_LAG, nominal

LIMIT = kernels.FRICTION * kernels.GRAVITY


def a_car(**state) -> np.ndarray:
    cars = np.zeros(1, kernels.CAR)
    nominal(cars[0], kernels.SUBSTEP)
    for key, value in state.items():
        cars[key] = value
    return cars


@given(
    speed=st.floats(0.0, 4.0),
    steering=st.floats(-0.6, 0.6),
    commands=st.lists(st.tuples(st.floats(-0.6, 0.6), st.floats(0.0, 4.0)), min_size=1, max_size=20),
    grip=st.floats(0.5, 1.5),
)
@settings(deadline=None)
def test_tyres_never_give_more_than_their_grip(speed, steering, commands, grip):
    cars = a_car(speed=speed, steering=steering, grip=grip)
    for wanted_steering, wanted_speed in commands:
        before, heading = float(cars["speed"][0]), float(cars["heading"][0])
        kernels.drive(cars[0], wanted_steering, wanted_speed)
        after = float(cars["speed"][0])
        turn = (float(cars["heading"][0]) - heading + np.pi) % (2 * np.pi) - np.pi
        lateral = after * turn / kernels.SUBSTEP
        longitudinal = (after - before) / kernels.SUBSTEP
        assert np.hypot(lateral, longitudinal) <= grip * LIMIT * (1 + 1e-6) + 1e-9
        assert 0.0 <= after <= 4.0 + 1e-9
        assert -np.pi <= cars["heading"][0] <= np.pi


def test_slow_car_drives_the_bicycle_model_s_circle():
    steering, speed = np.deg2rad(20.0), 0.8
    cars = a_car(speed=speed, steering=steering)
    radius = kernels.WHEELBASE / np.tan(steering)
    substeps = round(2 * np.pi * radius / speed / kernels.SUBSTEP)
    poses = []
    for _ in range(substeps):
        kernels.drive(cars[0], steering, speed)
        poses.append((float(cars["x"][0]), float(cars["y"][0])))
    assert np.hypot(*(np.array(poses) - [0.0, radius]).T) == pytest.approx(radius, rel=2e-3)


def test_grip_ends_at_the_speed_that_friction_gives():
    """At full lock the bicycle's lateral acceleration is v² tan(30°) / wheelbase: grip ends at 1.18 m/s."""
    full = np.deg2rad(30.0)
    rates = {}
    for speed in (1.1, 1.3, 2.0):
        cars = a_car(speed=speed, steering=full)
        kernels.drive(cars[0], full, speed)
        rates[speed] = float(cars["heading"][0]) / kernels.SUBSTEP
    assert rates[1.1] == pytest.approx(1.1 * np.tan(full) / kernels.WHEELBASE)
    assert rates[1.3] == pytest.approx(LIMIT / 1.3)
    assert rates[2.0] == pytest.approx(LIMIT / 2.0)


def test_actuators_are_first_order_lags():
    cars = a_car()
    for _ in range(6):
        kernels.drive(cars[0], 0.3, 0.2)
    elapsed = 6 * kernels.SUBSTEP
    assert cars["steering"][0] == pytest.approx(0.3 * (1 - np.exp(-elapsed / STEERING_LAG)))
    assert cars["speed"][0] == pytest.approx(0.2 * (1 - np.exp(-elapsed / SPEED_LAG)))
