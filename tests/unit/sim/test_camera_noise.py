"""Noise drawn apart from the frame is the simulator's, bit for bit."""

import numpy as np
import pytest

from kuberacer.sim.camera_noise import CameraNoise
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.scene import Boxes, Scene
from sim.roads import oval

BOXES = Scene(boxes=Boxes(count=4, random=True, spacing=1.0))
CONFIG = SimConfig(randomization=True, max_steps=40, scene=BOXES)


@pytest.mark.parametrize(
    ("seed", "sensor"), [(0, "FRONT_FACING_CAMERA"), (12345, "STEREO_CAMERAS"), (2**62, "observation")]
)
def test_clean_frames_and_noise_are_what_the_simulator_draws(seed: int, sensor: str) -> None:
    noisy, clean = (
        RaceSim(oval(), 5, seed=seed, config=CONFIG, sensors=(sensor,)),
        RaceSim(oval(), 5, seed=seed, config=CONFIG, clean=True, sensors=(sensor,)),
    )
    noise, drawn, dropped = CameraNoise(seed), np.zeros(5, np.int64), 0
    rng = np.random.default_rng(0)
    for sim in (noisy, clean):
        sim.reset()
        sim.render()
    for _ in range(120):
        drawn = noise.drawn(clean.episode, clean.values.steps, drawn)
        dropped += int((drawn != clean.values.steps).sum())
        np.testing.assert_array_equal(noise.spoil(clean.frames, clean.episode, drawn), noisy.frames)
        steering = rng.uniform(-30, 30, 5)
        for sim in (noisy, clean):
            sim.advance(steering, np.full(5, 1.0))
            sim.reset(sim.terminated | sim.truncated)
            sim.render()
    assert dropped > 0  # some frames were dropped
    assert (clean.episode > 1).all()
    assert (noisy.frames != clean.frames).any()
