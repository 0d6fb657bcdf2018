"""The yardstick: closed forms, a finer mesh, the simulator's own judgement, and drivers who try to beat it."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.sim import fastest_lap as yardstick
from kuberacer.sim import step_kernels as car
from kuberacer.sim.fastest_lap import FastestLap, fastest_lap
from kuberacer.sim.fastest_lap_speed import GRIP, fastest_squares, seconds
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.track import Track, load_track
from sim.follower import fastest_follower, followers
from sim.roads import REAL, oval, oval_route, straight


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("KUBERACER_CACHE", str(tmp_path))
    return tmp_path / "fastest-laps"


def test_a_circle_is_driven_at_the_speed_that_grip_allows():
    """v = sqrt(μ g r): 1.98 m/s at 0.8 m."""
    radius, step = 0.8, 0.02
    squares = fastest_squares(np.full(500, step), np.full(501, 1 / radius))
    assert squares[0] == 0.0
    assert np.sqrt(squares[250:]) == pytest.approx(np.sqrt(0.5 * 9.81 * radius), rel=1e-6)


def straight_seconds(way: float) -> float:
    """From standing: 4 m/s² until the speed's lag is in the way at 3.6 m/s, then 4 - 0.4 exp(-t / 0.1 s)."""
    if way < 1.62:
        return float(np.sqrt(way / 2.0))
    times = np.linspace(0.0, 10.0, 1_000_001)
    gone = 4.0 * times - 0.04 * (1.0 - np.exp(-times / 0.1))
    return 0.9 + float(np.interp(way - 1.62, gone, times))


@pytest.mark.parametrize("length", [8.0])
def test_a_straight_is_full_throttle(length):
    """The origin stands on the road's beginning, the front 0.14 m ahead of it: so much less is to drive."""
    lap = fastest_lap(straight(length=length, rows=round(length / 0.25) + 1))
    assert lap.seconds == pytest.approx(straight_seconds(length - 0.14), rel=3e-3)
    assert np.abs(lap.path[:, 1]).max() < 0.02
    assert (np.diff(lap.speed) > -1e-6).all()


def test_braking_before_a_bend_uses_motor_brake_and_grip():
    """From 4 m/s to a bend of 0.5 m: v² falls by at most 2 · 4 m/s² a metre."""
    curvature = np.where(np.arange(601) < 500, 0.0, 1 / 0.5)
    squares = fastest_squares(np.full(600, 0.02), curvature)
    assert squares[500] == pytest.approx(GRIP * 0.5, rel=0.02)
    braking = np.diff(squares[:499]) / 0.02
    assert braking.min() == pytest.approx(-8.0, abs=1e-6)


@given(
    bends=st.lists(st.floats(-3.5, 3.5), min_size=3, max_size=30),
    step=st.floats(0.03, 0.3),
)
@settings(deadline=None)
def test_speeds_keep_every_limit(bends, step):
    curvature = np.interp(np.linspace(0, len(bends) - 1, 6 * len(bends)), np.arange(len(bends)), bends)
    lengths = np.full(len(curvature) - 1, step)
    squares = fastest_squares(lengths, curvature)
    assert (squares >= 0.0).all()
    assert (squares <= 16.0).all()
    assert (squares * np.abs(curvature) <= GRIP * (1 + 1e-9)).all()
    forward = 0.5 * np.diff(squares) / lengths
    assert np.abs(forward).max() <= car.MAX_ACCELERATION + 1e-9
    sideways = 0.25 * (squares[:-1] + squares[1:]) * (curvature[:-1] + curvature[1:])
    assert np.hypot(forward, sideways).max() <= GRIP * 1.05  # a step in which the bend's sign turns is judged coarsely


NAMES = ["hairpin", "sprint", *(n for n in ("reInvent2019_track",) if (REAL / f"{n}.npy").exists())]


def road(name: str) -> Track:
    return load_track(str(REAL / f"{name}.npy")) if (REAL / f"{name}.npy").exists() else load_track(name)


@pytest.mark.parametrize("name", NAMES)
def test_nobody_who_drives_in_the_simulator_is_faster(name):
    """Cars at 15 Hz with the actuators' lags, beside the fastest path: the best of them comes within 5 percent."""
    track = road(name)
    limit = fastest_lap(track).seconds
    best = fastest_follower(track)
    assert limit <= best <= 1.05 * limit
    assert followers(track, fastest_lap(track)).min() >= limit


@pytest.mark.parametrize("name", ["pebble"])
def test_a_mesh_of_half_the_width_changes_little(name):
    route = load_track(name).route()
    finer = (*yardstick.LEVELS, (0.5 * yardstick.LEVELS[-1][0], 0.5 * yardstick.LEVELS[-1][1]))
    usual = yardstick._solve(route, yardstick.LEVELS).seconds
    assert yardstick._solve(route, finer).seconds == pytest.approx(usual, rel=0.01)


@pytest.mark.parametrize("name", ["hairpin"])
def test_the_simulator_finds_the_car_on_the_track_all_along_the_path(name):
    """And, where the path cuts a corner, off the track a little farther out: the path uses what the rule allows."""
    track = load_track(name)
    lap = fastest_lap(track)
    step = np.diff(lap.path, axis=0)
    angle = np.arctan2(step[:, 1], step[:, 0])
    middle, ahead = 0.5 * (lap.path[:-1] + lap.path[1:]), np.stack([np.cos(angle), np.sin(angle)], axis=1)
    left = ahead[:, ::-1] * [-1.0, 1.0]

    def off(points: np.ndarray) -> np.ndarray:
        sim = RaceSim(track, len(points))
        sim.place(*(points + car.FRONT * ahead).T, np.degrees(angle))
        return sim.values.is_offtrack.copy()

    inward = left * (track.closed and np.sign(_offset(track, middle)))[:, None]
    assert not off(middle - 0.01 * inward).any()
    assert off(middle + 0.02 * inward).sum() >= 5


def _offset(track: Track, points: np.ndarray) -> np.ndarray:
    """Of the points from the centre line, left positive."""
    gap = points[:, None] - track.center
    k = (gap**2).sum(axis=2).argmin(axis=1)
    way = np.roll(track.center, -1, axis=0)[k] - np.roll(track.center, 1, axis=0)[k]
    off = points - track.center[k]
    return way[:, 0] * off[:, 1] - way[:, 1] * off[:, 0]


def test_a_lap_the_other_way_is_a_lap_too(monkeypatch):
    monkeypatch.setattr(yardstick, "LEVELS", yardstick.LEVELS[:3])
    there, back = fastest_lap(oval()), fastest_lap(oval(), reverse=True)
    assert there.seconds == pytest.approx(back.seconds, rel=0.01)
    same = Track.from_route(oval_route()[::-1].copy(), "turned")
    assert fastest_lap(same).seconds == back.seconds


@pytest.mark.parametrize(
    "shape",
    [
        {"rows": 9, "a": 2.0, "b": 1.5, "width": 0.8},  # rows farther apart than the curve's knots
        {"rows": 12, "a": 0.5, "b": 0.4, "width": 0.3},
        {"rows": 60, "a": 6.0, "b": 0.45, "width": 0.2},  # a hairpin sharper than the steering
        {"rows": 60, "a": 3.0, "b": 2.5, "width": 3.5},
    ],
)
def test_odd_roads_have_a_lap(shape, monkeypatch):
    monkeypatch.setattr(yardstick, "LEVELS", yardstick.LEVELS[:2])
    lap = fastest_lap(oval(**shape))
    assert 0.0 < lap.seconds < 60.0
    assert np.isfinite(lap.path).all()
    assert (lap.speed >= 0.0).all()
    assert (np.diff(lap.time) > 0.0).all()


def test_path_speed_and_time_belong_together(monkeypatch):
    monkeypatch.setattr(yardstick, "LEVELS", yardstick.LEVELS[:3])
    lap = fastest_lap(oval())
    assert len(lap.path) == len(lap.speed) == len(lap.time)
    assert (lap.speed[0], lap.time[0], lap.time[-1]) == (0.0, 0.0, lap.seconds)
    taken = seconds(np.hypot(*np.diff(lap.path, axis=0).T), lap.speed**2)
    assert taken.sum() == pytest.approx(lap.seconds, rel=0.01)


def test_it_is_remembered_and_made_again_when_the_memory_is_broken(cache, monkeypatch):
    monkeypatch.setattr(yardstick, "LEVELS", yardstick.LEVELS[:1])
    first = fastest_lap(oval())
    (file,) = cache.iterdir()
    with monkeypatch.context() as patched:
        patched.setattr(yardstick, "_solve", lambda *_: pytest.fail("it was not remembered"))
        assert_same(fastest_lap(oval()), first)
    for broken in (b"", b"nonsense", file.read_bytes()[:200]):
        file.write_bytes(broken)
        assert_same(fastest_lap(oval()), first)
    assert [path.name for path in cache.iterdir()] == [file.name]


def assert_same(one: FastestLap, other: FastestLap) -> None:
    assert one.seconds == other.seconds
    assert np.array_equal(one.path, other.path)
    assert np.array_equal(one.speed, other.speed)
