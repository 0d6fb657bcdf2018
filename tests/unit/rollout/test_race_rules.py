"""What a race's YAML becomes for the simulator."""

import numpy as np
import pytest
import yaml

from kuberacer.errors import UserError
from kuberacer.formats.race_config import RaceConfig
from kuberacer.rollout.race_rules import evaluation_rules, scene_of, training_rules
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.scene import Bots, Boxes, Scene
from kuberacer.sim.track import load_track


def race(**keys: object) -> RaceConfig:
    return RaceConfig.parse(yaml.safe_dump(keys), "training")


def test_no_yaml_is_the_training_as_it_was():
    assert training_rules(race()) == SimConfig()
    assert evaluation_rules(race(), max_steps=9000) == SimConfig(start="line", max_steps=9000)


def test_boxes():
    keys = {"OBJECT_POSITIONS": "0.2,1", "NUMBER_OF_OBSTACLES": 3, "RANDOMIZE_OBSTACLE_LOCATIONS": True}
    found = scene_of(
        race(
            RACE_TYPE="OBJECT_AVOIDANCE",
            OBSTACLE_TYPE="amazon_box_obstacle",
            MIN_DISTANCE_BETWEEN_OBSTACLES=1.5,
            **keys,
        )
    )
    assert found.boxes == Boxes(3, "amazon_box_obstacle", ((0.2, 1),), True, 1.5)
    assert found.bots.count == 0


def test_standing_cars_in_the_place_of_boxes():
    found = scene_of(race(RACE_TYPE="OBJECT_AVOIDANCE", IS_OBSTACLE_BOT_CAR=True, OBJECT_POSITIONS=["0.2,1", "0.5,-1"]))
    assert found.boxes.count == 0
    assert found.bots == Bots(2, 0.0, ((0.2, 1), (0.5, -1)))


def test_bots():
    found = scene_of(
        race(
            RACE_TYPE="HEAD_TO_BOT", NUMBER_OF_BOT_CARS=2, BOT_CAR_SPEED=0.7, IS_LANE_CHANGE=True,
            LOWER_LANE_CHANGE_TIME=2, UPPER_LANE_CHANGE_TIME=4, LANE_CHANGE_DISTANCE=0.8,
            MIN_DISTANCE_BETWEEN_BOT_CARS=3, RANDOMIZE_BOT_CAR_LOCATIONS=True,
        )
    )  # fmt: skip
    assert found == Scene(bots=Bots(2, 0.7, (), True, 3.0, True, (2.0, 4.0), 0.8))


def test_models_share_a_track():
    assert scene_of(race(RACE_TYPE="F1", MODEL_S3_PREFIX=["mine", "a", "b"])).together == 3
    assert scene_of(race(MODEL_S3_PREFIX=["mine"])).together == 1


def test_the_trainings_keys_act():
    found = training_rules(
        race(
            REVERSE_DIR=True, ALTERNATE_DRIVING_DIRECTION=True, ROUND_ROBIN_ADVANCE_DIST=0.1,
            START_POSITION_OFFSET=0.25, ENABLE_DOMAIN_RANDOMIZATION=True,
        )
    )  # fmt: skip
    assert (found.reverse_direction, found.alternate_direction, found.randomization) == (True, True, True)
    cars = np.arange(3)
    starts = found.start_fractions(cars, np.zeros(3, int), True)
    assert starts[0] == pytest.approx(0.25)
    assert found.start_fractions(cars, np.full(3, 2), True) == pytest.approx((starts + 0.2) % 1.0)
    fixed = training_rules(race(CHANGE_START_POSITION=False, START_POSITION_OFFSET=0.25))
    assert fixed.start_fractions(cars, np.arange(3), True) == pytest.approx([0.25] * 3)


def test_objects_that_do_not_fit_are_an_error():
    with pytest.raises(UserError, match="fit"):
        scene_of(race(RACE_TYPE="OBJECT_AVOIDANCE", NUMBER_OF_OBSTACLES=50)).check(load_track("kidney"))
