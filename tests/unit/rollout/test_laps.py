import numpy as np
import pytest

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.rollout.laps import STARTS, drive_laps
from kuberacer.sim.track import Track

METADATA = ModelMetadata.default("clipped_ppo")


class Ring:
    """One of five actions steers, the others go straight on: the ring's 3 m radius."""

    def __init__(self):
        self.step = 0

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        self.step += 1
        return np.full(len(observations), 3 if self.step % 5 == 0 else 2)


def test_a_policy_that_follows_the_ring_completes_it_from_every_start(ring: Track):
    lap = drive_laps(Ring(), ring, METADATA, 1)
    assert lap.completed
    assert lap.laps == STARTS
    assert lap.seconds == pytest.approx(ring.length / 1.18, rel=0.1)


def test_a_policy_that_goes_straight_leaves_the_track(ring: Track):
    lap = drive_laps(lambda seen: np.full(len(seen), 2), ring, METADATA, 1)
    assert (lap.completed, lap.laps, lap.status) == (False, 0, "off_track")
    assert 0 < lap.progress < 50
