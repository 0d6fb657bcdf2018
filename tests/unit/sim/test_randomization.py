"""Domain randomisation: what is drawn, and what it does."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.sim import step_kernels as kernels
from kuberacer.sim.camera import Camera
from kuberacer.sim.race_sim import RaceSim, SimConfig
from kuberacer.sim.randomization import Draws, grey_lookup, nominal, randomize
from kuberacer.sim.texture import DASH, GRASS, LINE, ROAD
from sim.roads import oval, straight

RANDOM = SimConfig(start="line", randomization=True)


@given(seed=st.integers(0, 2**63), car=st.integers(0, 1000), episode=st.integers(0, 10_000))
def test_draws_repeat_and_stay_in_range(seed, car, episode):
    draws, again = Draws(seed, car, episode), Draws(seed, car, episode)
    numbers = [draws.uniform(-2.0, 3.0) for _ in range(10)]
    assert numbers == [again.uniform(-2.0, 3.0) for _ in range(10)]
    assert all(-2.0 <= number < 3.0 for number in numbers)
    assert numbers[0] not in {Draws(seed, car + 1, episode).uniform(-2.0, 3.0), numbers[1]}


def test_draws_are_uniform():
    numbers = np.array([Draws(7, car, episode).uniform(0, 1) for car in range(60) for episode in range(60)])
    assert np.abs(np.histogram(numbers, 10, (0, 1))[0] - 360).max() < 90
    assert abs(np.corrcoef(numbers[:-1], numbers[1:])[0, 1]) < 0.05


def test_everything_is_drawn_anew_each_episode():
    cars = np.zeros(40, kernels.CAR)
    cameras = [randomize(car, Draws(0, 3, i), kernels.SUBSTEP)[0] for i, car in enumerate(cars)]
    assert set(cars["latency"]) == {0, 1, 2, 3}
    for field in ("grip", "steering_bias", "steering_gain", "speed_gain", "noise", "blur", "drop"):
        assert len(np.unique(cars[field])) == 40, field
    assert len({camera.pitch for camera in cameras}) == len({camera.height for camera in cameras}) == 40
    assert len({camera.field_of_view for camera in cameras}) == 40


@pytest.mark.parametrize("seed", range(20))
def test_surfaces_stay_apart(seed):
    """Whatever the colours and the light, the lines are brighter than the road."""
    lookup = grey_lookup(Draws(seed, 0, 0)).astype(int)
    assert lookup[LINE] > lookup[ROAD] + 40
    assert lookup[GRASS] != lookup[ROAD]
    assert len({lookup[grey] for grey in (ROAD, DASH, LINE)}) == 3


def one_step_later(latency: int, steps: int) -> np.ndarray:
    """Speeds after each step when full speed is commanded from the start."""
    sim = RaceSim(straight(), 1)
    sim.reset()
    sim._cars["latency"] = latency
    speeds = []
    for _ in range(steps):
        sim.advance(np.zeros(1), np.ones(1))
        speeds.append(float(sim._cars["speed"][0]))
    return np.array(speeds)


@pytest.mark.parametrize("latency", [0, 1, 2, 3])
def test_latency_delays_commands_by_whole_steps(latency):
    prompt, late = one_step_later(0, 8), one_step_later(latency, 8)
    assert (late[:latency] == 0.0).all()
    assert np.allclose(late[latency:], prompt[: 8 - latency])


def test_frames_differ_between_cars_and_repeat():
    frames = []
    for _ in range(2):
        sim = RaceSim(oval(), 4, seed=11, config=RANDOM)
        sim.reset()
        sim.render()
        frames.append(sim.frames.copy())
    assert np.array_equal(*frames)
    assert len({frame.tobytes() for frame in frames[0]}) == 4


def test_dropped_frames_leave_the_one_before():
    sim = RaceSim(oval(), 1, config=RANDOM)
    sim.reset()
    sim.render()
    first = sim.frames.copy()
    sim._cars["drop"] = 1.0
    sim.advance(np.zeros(1), np.ones(1))
    sim.render()
    assert np.array_equal(sim.frames, first)
    sim._cars["drop"] = 0.0
    sim.render()
    assert not np.array_equal(sim.frames, first)


def test_without_noise_blur_and_colour_a_frame_is_plain():
    plain, randomized = RaceSim(oval(), 1), RaceSim(oval(), 1, config=RANDOM)
    for sim in (plain, randomized):
        sim.reset()
    nominal(randomized._cars[0], kernels.SUBSTEP)
    randomized._row_tables[0] = Camera().row_table(randomized.texture.texel)
    randomized._lookups[0] = np.arange(256)
    for sim in (plain, randomized):
        sim.render()
    assert np.array_equal(plain.frames, randomized.frames)
    clean = randomized.frames.astype(int)
    randomized._cars["noise"] = 16.0
    randomized.render()
    noise = (randomized.frames.astype(int) - clean)[(clean > 30) & (clean < 225)]
    assert abs(noise.mean()) < 1.0
    assert 4.0 < noise.std() < 16.0
    randomized._cars["noise"], randomized._cars["blur"] = 0.0, 0.33
    randomized.render()
    blurred = randomized.frames[0, 0].astype(int)
    assert np.abs(np.diff(blurred, axis=1)).sum() < np.abs(np.diff(clean[0, 0], axis=1)).sum()
    assert abs(blurred.mean() - clean.mean()) < 1.5
