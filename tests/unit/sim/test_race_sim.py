"""Episodes, and what repeats bit for bit."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.sim.params import ARRAY_KEYS
from kuberacer.sim.race_sim import RaceSim, SimConfig
from kuberacer.sim.track import Track, load_track, own_tracks
from sim.roads import available_tracks, oval, steer_to_center, straight

LINE = SimConfig(start="line")


@pytest.mark.parametrize("name", [*own_tracks(), *(track.name for track in available_tracks())])
@pytest.mark.parametrize("backward", [False, True])
def test_a_plain_driver_completes_a_lap(name, backward):
    tracks = {track.name: track for track in available_tracks()}
    track = tracks.get(name) or load_track(name)
    sim = RaceSim(track, 1, config=SimConfig(start="line", reverse_direction=backward, max_steps=1500))
    sim.reset()
    progress = [sim.values.progress[0]]
    while not (sim.terminated[0] or sim.truncated[0]):
        sim.advance(steer_to_center(sim), np.array([1.3]))
        progress.append(sim.values.progress[0])
    assert sim.status_name(0) == "lap_complete"
    assert progress[0] == 0.0
    assert progress[-1] == 100.0
    longest = 100 * 2.0 * 1.3 / 15 / track.length  # the inner side of a bend gains on the centre line
    assert (np.diff(progress) >= 0).all()
    assert np.diff(progress).max() < longest + 1e-6
    lap = track.length if track.closed else track.length - 0.14
    assert sim.values.sim_time[0] == pytest.approx(lap / 1.3, rel=0.15)
    assert sim.values.steps[0] == len(progress) - 1


def test_starts_advance_by_a_twentieth_of_the_lap():
    track = oval()
    sim = RaceSim(track, 2)
    seen = []
    for _ in range(22):
        sim.reset()
        seen.append(sim.values.projection_distance / track.length)
    fractions = np.array(seen)
    assert np.allclose(fractions[:20, 0], np.arange(20) * 0.05, atol=2e-3)
    assert np.allclose(fractions[20:, 0] % 1.0, [0.0, 0.05], atol=2e-3)
    steps = np.diff(fractions[:, 1]) % 1.0
    assert np.allclose(steps, 0.05, atol=2e-3)
    assert not np.isclose(fractions[0, 0], fractions[0, 1], atol=0.1)
    assert (sim.values.progress == 0.0).all()
    assert sim.values.all_wheels_on_track.all()


def test_start_line_and_directions():
    sim = RaceSim(oval(), 3, config=SimConfig(start="line", alternate_direction=True))
    headings = []
    for _ in range(3):
        sim.reset()
        assert np.allclose(sim.values.projection_distance % sim.track.length, 0.0, atol=1e-2)
        headings.append(sim.values.heading.copy())
    turned = (headings[1] - headings[0]) % 360
    assert np.allclose(turned, 180, atol=10)
    assert np.allclose(headings[2], headings[0])
    assert not sim.values.is_reversed.any()


def drive_until_end(sim: RaceSim, steering: float, speed: float) -> str:
    while not (sim.terminated[0] or sim.truncated[0]):
        sim.advance(np.array([steering]), np.array([speed]))
    assert sim.terminated[0] != sim.truncated[0]
    return sim.status_name(0)


def test_off_track():
    sim = RaceSim(oval(), 1, config=LINE)
    sim.reset()
    assert drive_until_end(sim, -20.0, 1.5) == "off_track"
    assert sim.values.is_offtrack[0]
    assert not sim.values.all_wheels_on_track[0]
    assert sim.terminated[0]


def test_immobilized_after_fifteen_steps():
    sim = RaceSim(oval(), 1, config=LINE)
    sim.reset()
    assert drive_until_end(sim, 0.0, 0.0) == "immobilized"
    assert sim.values.steps[0] == 15


def test_reversed_after_fifteen_steps_backward():
    track = straight(length=9.0)
    sim = RaceSim(track, 1)
    sim.reset()
    sim.place(np.array([6.0]), np.array([0.0]), np.array([180.0]))
    assert drive_until_end(sim, 0.0, 1.0) == "reversed"
    assert sim.values.steps[0] == 15
    assert sim.values.progress[0] == 0.0


def test_time_up_truncates():
    sim = RaceSim(oval(), 1, config=SimConfig(start="line", max_steps=20))
    sim.reset()
    while not sim.truncated[0]:
        sim.advance(steer_to_center(sim), np.ones(1))
    assert (sim.status_name(0), sim.values.steps[0], sim.terminated[0]) == ("time_up", 20, False)


def test_recover_puts_the_car_back_on_its_lane():
    sim = RaceSim(oval(), 2, config=LINE)
    sim.reset()
    for _ in range(25):
        sim.advance(steer_to_center(sim), np.ones(2))
    while not sim.terminated[0]:
        sim.advance(np.array([-25.0, steer_to_center(sim)[1]]), np.ones(2))
    before = {key: getattr(sim.values, key).copy() for key in ARRAY_KEYS}
    sim.recover(np.array([True, False]), pause_seconds=5.0)
    values = sim.values
    assert (sim.status_name(0), sim.terminated[0]) == ("in_progress", False)
    assert values.all_wheels_on_track[0]
    assert values.is_left_of_center[0] == before["is_left_of_center"][0]
    assert values.distance_from_center[0] == pytest.approx(sim.track.width / 4, abs=0.02)
    assert values.progress[0] == pytest.approx(before["progress"][0], abs=0.5)
    assert values.sim_time[0] == pytest.approx(before["sim_time"][0] + 5.0)
    assert values.steps[0] == before["steps"][0]
    assert all(np.array_equal(getattr(values, key)[1], before[key][1]) for key in ARRAY_KEYS)


def test_bad_commands_are_clipped():
    sim = RaceSim(oval(), 3, config=LINE)
    sim.reset()
    sim.advance(np.array([90.0, -np.inf, np.nan]), np.array([99.0, -3.0, np.nan]))
    assert sim.values.steering_angle.tolist() == [30.0, -30.0, -30.0]
    assert sim.values.speed.tolist() == [4.0, 0.0, 0.0]
    assert np.isfinite(sim.values.x).all()


def play(cars: int, threads: int, seed: int, randomization: bool, steps: int = 40) -> tuple[np.ndarray, dict]:
    """Frames (steps, cars, 120, 160) and values of cars that each follow commands of their own."""
    sim = RaceSim(oval(), cars, seed=seed, config=SimConfig(randomization=randomization, max_steps=30), threads=threads)
    sim.reset()
    sim.render()
    frames, values = [], {key: [] for key in ARRAY_KEYS}
    for step in range(steps):
        phase = np.arange(cars) + 0.3 * step
        sim.advance(25 * np.sin(phase), 1.5 + np.cos(phase))
        for key in ARRAY_KEYS:
            values[key].append(getattr(sim.values, key).copy())
        sim.reset(sim.terminated | sim.truncated)
        sim.render()
        frames.append(sim.frames.copy())
    return np.array(frames), {key: np.array(rows) for key, rows in values.items()}


@pytest.mark.parametrize("randomization", [False, True])
def test_threads_and_batch_size_change_nothing(randomization):
    frames, values = play(6, 1, seed=3, randomization=randomization)
    again, values_again = play(6, 4, seed=3, randomization=randomization)
    fewer, values_fewer = play(2, 1, seed=3, randomization=randomization)
    assert np.array_equal(frames, again)
    assert np.array_equal(frames[:, :2], fewer)
    for key in ARRAY_KEYS:
        assert np.array_equal(values[key], values_again[key])
        assert np.array_equal(values[key][:, :2], values_fewer[key])
    other, _ = play(6, 1, seed=4, randomization=randomization)
    assert np.array_equal(frames, other) != randomization


def test_a_machine_that_is_held_up_changes_nothing():
    sims = [RaceSim(oval(), 2, seed=3, config=LINE) for _ in range(2)]
    for sim, pause in zip(sims, (0.0, 0.02), strict=True):
        sim.reset()
        for _ in range(15):
            sim.advance(np.full(2, 5.0), np.ones(2))
            time.sleep(pause)
    even, held_up = (sim.values for sim in sims)
    assert held_up.sim_time.tolist() == pytest.approx([1.0, 1.0])  # 15 steps of a fifteenth, whatever the clock says
    for key in ARRAY_KEYS:
        assert np.array_equal(getattr(even, key), getattr(held_up, key))


def test_restart_is_as_new():
    sim = RaceSim(oval(), 2, seed=1, config=SimConfig(randomization=True))
    sim.reset()
    for _ in range(30):
        sim.advance(np.full(2, 5.0), np.ones(2))
    sim.reset()
    sim.restart(9)
    sim.render()
    fresh = RaceSim(oval(), 2, seed=9, config=SimConfig(randomization=True))
    fresh.reset()
    fresh.render()
    assert np.array_equal(sim.frames, fresh.frames)
    assert sim.episode.tolist() == fresh.episode.tolist() == [0, 0]


def test_masked_render_and_reset_touch_nothing_else():
    sim = RaceSim(oval(), 4)
    sim.reset()
    sim.render()
    first = sim.frames.copy()
    for _ in range(10):
        sim.advance(np.zeros(4), np.full(4, 2.0))
    mask = np.array([False, True, False, True])
    x = sim.values.x.copy()
    sim.reset(mask)
    sim.render(mask)
    assert sim.episode.tolist() == [0, 1, 0, 1]
    assert np.array_equal(sim.frames[~mask], first[~mask])
    assert np.array_equal(sim.values.x[~mask], x[~mask])
    assert sim.values.steps.tolist() == [10, 0, 10, 0]


def hairpin_with_close_lanes() -> Track:
    """Out and back along x with the lanes' borders 5 cm apart."""
    x = np.linspace(0.0, 6.0, 40)
    turn = np.linspace(-np.pi / 2, np.pi / 2, 20)[1:-1]
    radius = 0.325
    center = np.vstack([
        np.column_stack([x, np.zeros_like(x)]),
        np.column_stack([6.0 + radius * np.cos(turn), radius + radius * np.sin(turn)]),
        np.column_stack([x[::-1], np.full_like(x, 2 * radius)]),
    ])  # fmt: skip
    tangent = np.gradient(center, axis=0)
    normal = np.column_stack([-tangent[:, 1], tangent[:, 0]]) / np.hypot(*tangent.T)[:, None]
    return Track.from_route(np.hstack([center, center + 0.3 * normal, center - 0.3 * normal]), "close lanes")


@given(row=st.integers(5, 30), side=st.floats(0.15, 0.29))
@settings(max_examples=20, deadline=None)
def test_a_car_stays_on_its_own_lane(row, side):
    """Near the neighbouring lane the projection does not jump over to it."""
    track = hairpin_with_close_lanes()
    sim = RaceSim(track, 1)
    sim.reset()
    sim.place(np.array([track.center[row, 0]]), np.array([side]), np.array([20.0]))
    before = sim.values.projection_distance[0]
    for _ in range(6):
        sim.advance(np.array([0.0]), np.array([1.0]))
        if sim.terminated[0]:
            break
    assert sim.values.projection_distance[0] - before < 1.0
    assert sim.values.projection_distance[0] > before - 0.05


def test_wrong_sizes_are_refused():
    with pytest.raises(ValueError, match="at least 1"):
        RaceSim(oval(), 0)
    sim = RaceSim(oval(), 3)
    sim.reset()
    with pytest.raises(ValueError, match="broadcast"):
        sim.advance(np.zeros(2), np.zeros(2))
