"""What workers are told: the trainer's race reaches them whole."""

import json

import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.formats.race_config import RaceConfig
from kuberacer.rollout.handout import Setup
from kuberacer.rollout.race_rules import lap_rules, training_rules
from kuberacer.rollout.rules_json import rules_from_json, rules_to_json
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.scene import Bots, Boxes, Scene
from kuberacer.sim.track import Track

METADATA = ModelMetadata.default("clipped_ppo")
BY_PROGRESS = "def reward_function(params):\n    return params['progress']\n"
KEYS = {
    "RACE_TYPE": "OBJECT_AVOIDANCE",
    "OBJECT_POSITIONS": ["0.2,1", "0.6,-1"],
    "ENABLE_DOMAIN_RANDOMIZATION": True,
    "START_POSITION_OFFSET": 0.5,
}


def setup(ring: Track, **others) -> Setup:
    return Setup(
        track_name="ring", route=ring.route().tolist(), metadata=METADATA.to_json(), algorithm="clipped_ppo",
        reward=BY_PROGRESS, environment={}, cars=4, stack=1, seed=3, **others,
    )  # fmt: skip


def test_the_race_of_the_trainer_is_that_of_the_workers(ring: Track):
    race = RaceConfig.parse(yaml.safe_dump(KEYS), "training")
    made = setup(ring, rules=training_rules(race), lap_rules=lap_rules(race), lap_starts=7, reward_counts=True)
    assert Setup.parse(made.to_bytes()) == made
    assert made.rules.scene.boxes.places == ((0.2, 1), (0.6, -1))
    assert made.lap_rules.randomization


@pytest.mark.parametrize(
    "change",
    [
        {"schema": 1}, {"schema": None}, {"rules": []}, {"rules": {"speed": 1}}, {"lap_rules": {"scene": 3}},
        {"rules": {"scene": {"boxes": {"size": 2}}}}, {"nothing": 1},
    ],
)  # fmt: skip
def test_another_versions_setup_is_refused(ring: Track, change):
    data = {**json.loads(setup(ring).to_bytes()), **change}
    with pytest.raises((ValueError, TypeError)):
        Setup.parse(json.dumps(data).encode())


places = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([-1, 1])), max_size=3).map(tuple)
boxes = st.builds(Boxes, count=st.integers(0, 9), places=places, random=st.booleans(), spacing=st.floats(0, 9))
bots = st.builds(
    Bots, count=st.integers(0, 9), places=places, lane_change_every=st.tuples(st.floats(1, 2), st.floats(2, 3))
)
scenes = st.builds(Scene, boxes=boxes, bots=bots, together=st.integers(1, 4))
rules = st.builds(SimConfig, advance_fraction=st.floats(0, 1), randomization=st.booleans(), scene=scenes)


@given(rules)
def test_rules_come_back_as_they_went(made):
    assert rules_from_json(json.loads(json.dumps(rules_to_json(made)))) == made


class Ring:
    """One of five actions steers, the others go straight on: the ring's 3 m radius."""

    def __init__(self):
        self.step = 0

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        self.step += 1
        return np.full(len(observations), 3 if self.step % 5 == 0 else 2)


def test_the_reward_says_which_laps_are_the_best_when_it_is_to(ring: Track):
    by_laps = setup(ring, lap_starts=2).drive_laps(Ring(), 1)
    assert by_laps.reward is None
    assert by_laps.laps == 2
    by_reward = setup(ring, lap_starts=2, reward_counts=True).drive_laps(Ring(), 1)
    steps = by_reward.seconds * 15
    assert by_reward.reward == pytest.approx(50 * steps, rel=0.05)  # the sum of the progress in percent
    straight = setup(ring, lap_starts=2, reward_counts=True).drive_laps(lambda seen: np.full(len(seen), 2), 1)
    assert by_reward.rank() > straight.rank()


def test_randomised_laps_are_the_same_each_time(ring: Track):
    race = RaceConfig.parse("ENABLE_DOMAIN_RANDOMIZATION: true", "training")
    made = setup(ring, lap_rules=lap_rules(race), lap_starts=3)
    assert made.drive_laps(Ring(), 1) == made.drive_laps(Ring(), 1)
    assert made.drive_laps(Ring(), 1) != setup(ring, lap_starts=3).drive_laps(Ring(), 1)
