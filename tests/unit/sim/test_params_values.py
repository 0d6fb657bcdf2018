"""The reward's parameters against plain numpy over the whole track."""

import bisect

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.sim.params import ALL_KEYS, ParamArrays, params_dict
from kuberacer.sim.race_sim import RaceSim
from sim.roads import available_tracks, oval, straight

TRACKS = {track.name: track for track in available_tracks()}
FRONT, WHEELBASE, WHEEL_TRACK = 0.14, 0.164, 0.16


def in_polygon(polygon: np.ndarray, x: float, y: float) -> bool:
    x0, y0 = polygon.T
    x1, y1 = np.roll(polygon, -1, axis=0).T
    with np.errstate(divide="ignore", invalid="ignore"):
        right = x < (x1 - x0) * (y - y0) / (y1 - y0) + x0
    return bool(np.sum(((y0 > y) != (y1 > y)) & right) % 2)


def on_road(track, x: float, y: float) -> bool:
    if track.closed:
        return in_polygon(track.outer, x, y) != in_polygon(track.inner, x, y)
    return in_polygon(np.vstack([track.inner, track.outer[::-1]]), x, y)


def project(waypoints: np.ndarray, x: float, y: float) -> tuple[float, float, float]:
    """(distance along, distance from, signed side) of the polyline through waypoints (n, 2)."""
    start, step = waypoints[:-1], np.diff(waypoints, axis=0)
    length = np.hypot(*step.T)
    along = np.clip(((np.array([x, y]) - start) * step).sum(axis=1) / np.where(length > 0, length, 1) ** 2, 0, 1)
    gap = np.array([x, y]) - (start + along[:, None] * step)
    k = int(np.argmin(np.hypot(*gap.T)))
    side = step[k, 0] * (y - start[k, 1]) - step[k, 1] * (x - start[k, 0])
    return float(length[:k].sum() + along[k] * length[k]), float(np.hypot(*gap[k])), float(side)


@pytest.mark.parametrize("name", TRACKS)
@given(fraction=st.floats(0.0, 1.0), offset=st.floats(-0.7, 0.7), turn=st.floats(-180.0, 180.0))
@settings(max_examples=60, deadline=None)
def test_values_of_a_pose(name, fraction, offset, turn):
    track = TRACKS[name]
    waypoints = np.array(track.waypoints)
    sim = simulator(name)
    k = min(int(fraction * len(waypoints)), len(waypoints) - 2)
    x, y = waypoints[k] + offset * np.array([0.6, 0.8])
    sim.place(np.array([x]), np.array([y]), np.array([turn]))
    values, angle = sim.values, np.deg2rad(turn)

    assert (values.x[0], values.y[0]) == pytest.approx((x, y))
    assert (values.heading[0] - turn + 180) % 360 == pytest.approx(180)
    assert -180 <= values.heading[0] <= 180
    distance, gap, side = project(waypoints, x, y)
    assert values.distance_from_center[0] == pytest.approx(gap, abs=1e-9)
    away = abs(values.projection_distance[0] - distance) % track.length
    assert min(away, track.length - away) == pytest.approx(0.0, abs=1e-6) or is_tie(track, values, gap)
    if abs(side) > 1e-9 and not is_tie(track, values, gap):
        assert values.is_left_of_center[0] == (side > 0)

    steps = np.hypot(*np.diff(waypoints, axis=0).T)
    distances = np.concatenate([[0.0], np.cumsum(steps)]) / track.length
    found = values.projection_distance[0] / track.length
    expected = bisect.bisect_right(distances.tolist(), found) - 1
    expected = 0 if track.closed and found >= 1.0 else min(expected, len(waypoints) - 2)
    assert values.closest_waypoints[0].tolist() == [expected, expected + 1] or near_a_waypoint(distances, found)

    cos, sin = np.cos(angle), np.sin(angle)
    rear = np.array([x - FRONT * cos, y - FRONT * sin])
    wheels = [
        on_road(track, *(rear + forward * np.array([cos, sin]) + side * np.array([-sin, cos])))
        for forward in (0.0, WHEELBASE)
        for side in (-WHEEL_TRACK / 2, WHEEL_TRACK / 2)
    ]
    assert values.all_wheels_on_track[0] == all(wheels)
    assert values.is_offtrack[0] == (not any(wheels))


def is_tie(track, values, gap: float) -> bool:
    """Whether two places of the centre line are as near: which one is taken is then rounding."""
    waypoints = np.array(track.waypoints)
    point = waypoints[0] * 0 + [values.x[0], values.y[0]]
    found = values.projection_distance[0]
    start, step = waypoints[:-1], np.diff(waypoints, axis=0)
    length = np.hypot(*step.T)
    at = np.concatenate([[0.0], np.cumsum(length)])[:-1]
    k = np.clip(np.searchsorted(at, found, side="right") - 1, 0, len(start) - 1)
    place = start[k] + step[k] / max(length[k], 1e-12) * (found - at[k])
    return bool(abs(np.hypot(*(point - place)) - gap) < 1e-9)


def near_a_waypoint(distances: np.ndarray, found: float) -> bool:
    return bool(np.abs(distances - found).min() < 1e-9)


SIMULATORS: dict[str, RaceSim] = {}


def simulator(name: str) -> RaceSim:
    if name not in SIMULATORS:
        SIMULATORS[name] = RaceSim(TRACKS[name], 1)
        SIMULATORS[name].reset()
    return SIMULATORS[name]


def test_dictionary_of_one_car():
    sim = RaceSim(oval(), 3)
    sim.reset()
    sim.advance(np.array([1.0, 2.0, -3.0]), np.array([0.5, 1.0, 1.5]))
    params = params_dict(sim.values, 2)
    assert set(params) == set(ALL_KEYS)
    assert (params["steering_angle"], params["speed"], params["steps"]) == (-3.0, 1.5, 1)
    assert params["sim_time"] == pytest.approx(1 / 15)
    assert params["waypoints"] == list(sim.track.waypoints)
    assert params["waypoints"][0] == params["waypoints"][-1]
    assert params["closest_objects"] == [0, 0]
    assert params["objects_location"] == []
    kinds = {key: type(value) for key, value in params.items()}
    assert {key for key, kind in kinds.items() if kind is bool} == {
        "all_wheels_on_track", "is_left_of_center", "is_reversed", "is_crashed", "is_offtrack", "object_in_camera",
    }  # fmt: skip
    assert kinds["steps"] is int
    assert {type(i) for i in params["closest_waypoints"]} == {int}
    assert all(kinds[key] is float for key in ("x", "heading", "progress", "track_width", "track_length", "sim_time"))
    params["waypoints"].clear()
    assert params_dict(sim.values, 2, ["waypoints"])["waypoints"]
    assert params_dict(sim.values, 0, ["x", "progress"]).keys() == {"x", "progress"}
    with pytest.raises(KeyError):
        params_dict(sim.values, 0, ["no_such_key"])


def test_reversed_direction_reverses_the_waypoints():
    from kuberacer.sim.race_sim import SimConfig

    sim = RaceSim(oval(), 1, config=SimConfig(start="line", reverse_direction=True))
    sim.reset()
    values = sim.values
    assert values.is_reversed[0]
    waypoints = values.waypoints_of(0)
    assert waypoints == sim.track.waypoints[::-1]
    before, after = (np.array(waypoints[k]) for k in values.closest_waypoints[0])
    heading = np.degrees(np.arctan2(*(after - before)[::-1]))
    assert abs((values.heading[0] - heading + 180) % 360 - 180) < 10


def test_open_track_ends_at_its_end():
    sim = RaceSim(straight(), 1)
    sim.place(np.array([5.9]), np.array([0.1]), np.array([0.0]))
    assert sim.values.closest_waypoints[0].tolist() == [19, 20]
    assert sim.values.is_left_of_center[0]
    while not sim.terminated[0]:
        sim.advance(np.zeros(1), np.ones(1))
    assert sim.status_name(0) == "lap_complete"
    assert sim.values.progress[0] == 100.0
    assert sim.values.closest_waypoints[0].tolist() == [19, 20]


def test_objects_in_the_dictionary_are_plain_lists():
    values = ParamArrays.allocate(oval(), 2, objects=2)
    values.objects_location[1] = [[1.0, 2.0], [3.0, 4.0]]
    values.objects_left_of_center[1] = [True, False]
    values.objects_heading[1] = [0.0, -90.0]
    params = params_dict(values, 1)
    assert values.objects == 2
    assert params["objects_location"] == [(1.0, 2.0), (3.0, 4.0)]
    assert params["objects_left_of_center"] == [True, False]
    assert params["objects_heading"] == [0.0, -90.0]
    assert all(type(item) is float for item in (*params["objects_location"][0], *params["objects_speed"]))
    other = ParamArrays.allocate(oval(), 2, objects=2)
    other.copy_from(values)
    assert params_dict(other, 1) == params
