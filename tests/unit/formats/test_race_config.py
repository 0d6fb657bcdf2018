"""DeepRacer's YAML: every key with its default, and every fault named."""

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.errors import UserError
from kuberacer.formats.race_config import CarEntry, RaceConfig
from kuberacer.formats.race_keys import KEYS, PARAMETERS
from kuberacer.formats.yaml_input import MAX_CHARACTERS, read_mapping

ROOT = Path(__file__).parents[3]
# As the community's tools write a training: all values in quotes, an explicit start.
WRITTEN_BY_TOOLS = """---
'ALTERNATE_DRIVING_DIRECTION': 'False'
'AWS_REGION': 'us-east-1'
'BEST_MODEL_METRIC': 'progress'
'BODY_SHELL_TYPE': 'deepracer'
'CAMERA_MAIN_ENABLE': 'True'
'CAR_COLOR': 'Red'
'CAR_NAME': 'FastCar'
'CHANGE_START_POSITION': 'True'
'DISPLAY_NAME': 'FastCar'
'ENABLE_DOMAIN_RANDOMIZATION': 'False'
'IS_OBSTACLE_BOT_CAR': 'false'
'JOB_TYPE': 'TRAINING'
'KINESIS_VIDEO_STREAM_NAME': ''
'MIN_DISTANCE_BETWEEN_OBSTACLES': '2.0'
'MIN_EVAL_TRIALS': '5'
'NUMBER_OF_OBSTACLES': '2'
'NUM_WORKERS': '1'
'OBJECT_POSITIONS':
- '0.23,-1'
- '0.46,1'
'RACER_NAME': 'FastCar'
'RACE_TYPE': 'OBJECT_AVOIDANCE'
'RANDOMIZE_OBSTACLE_LOCATIONS': 'True'
'REVERSE_DIR': !!bool 'false'
'ROUND_ROBIN_ADVANCE_DIST': '0.05'
'SAGEMAKER_SHARED_S3_BUCKET': 'bucket'
'START_POSITION_OFFSET': '0.00'
'TRAINING_JOB_ARN': 'arn:Dummy'
'WORLD_NAME': 'kidney'
"""


def race(text: str = "", **keys: object) -> RaceConfig:
    return RaceConfig.parse(text or yaml.safe_dump(keys), "training")


def fault(text: str = "", **keys: object) -> str:
    with pytest.raises(UserError) as caught:
        race(text, **keys)
    assert caught.value.remedy
    return caught.value.cause


def test_no_text_is_a_time_trial_with_the_documented_defaults():
    config = RaceConfig.parse("", "training")
    assert config.race_type == "TIME_TRIAL"
    assert config.number_of_obstacles == config.number_of_bot_cars == 0
    assert (config.round_robin_advance_dist, config.min_eval_trials) == (0.05, 5)
    assert (config.lower_lane_change_time, config.upper_lane_change_time, config.lane_change_distance) == (3, 5, 1)
    assert (config.bot_car_speed, config.reset_behind_dist, config.best_model_metric) == (0.2, 1.0, "progress")
    assert config.change_start_position
    assert not config.given
    assert config.together == 1


def test_a_file_that_the_tools_wrote_is_read_unchanged():
    config = race(WRITTEN_BY_TOOLS)
    assert config.object_positions == ((0.23, -1), (0.46, 1))
    assert config.number_of_obstacles == 2
    assert config.world_name == ("kidney",)
    assert not config.reverse_dir
    assert {"AWS_REGION", "TRAINING_JOB_ARN", "NUM_WORKERS", "CAMERA_MAIN_ENABLE"} <= set(config.unused)
    assert config.cars == (CarEntry("FastCar", "FastCar", "Red"),)


def test_every_key_is_an_attribute_or_says_why_it_is_unused():
    config = RaceConfig.parse("", "training")
    for name, key in KEYS.items():
        assert key.unused or hasattr(config, name.lower()), name


def test_the_docs_tell_of_every_key_and_its_default():
    text = (ROOT / "docs" / "race.md").read_text(encoding="utf-8")
    assert [name for name in KEYS if f"`{name}`" not in text] == []


@pytest.mark.parametrize("name", [name for name in KEYS if name[:-1] not in KEYS])
def test_a_letter_too_few_is_an_error_that_names_the_key(name):
    typo = name[:-1]
    with pytest.raises(UserError) as caught:
        race(**{typo: "1"})
    assert typo in caught.value.cause
    assert name in caught.value.remedy or typo + "E" in caught.value.remedy


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("RACE_TYPE", "RALLY"), ("REVERSE_DIR", "perhaps"), ("NUMBER_OF_OBSTACLES", "-1"),
        ("NUMBER_OF_OBSTACLES", "2.5"), ("NUMBER_OF_OBSTACLES", "nan"), ("BOT_CAR_SPEED", "inf"),
        ("BOT_CAR_SPEED", "4.1"), ("ROUND_ROBIN_ADVANCE_DIST", "1.5"), ("OBSTACLE_TYPE", "cow"),
        ("CAR_COLOR", "Invisible"), ("BEST_MODEL_METRIC", "luck"), ("OBJECT_POSITIONS", ["0.2"]),
        ("OBJECT_POSITIONS", ["1.2,1"]), ("OBJECT_POSITIONS", ["0.2,0"]), ("MIN_EVAL_TRIALS", "0"),
        ("NUMBER_OF_TRIALS", ["1", "2"]), ("NUM_WORKERS", "many"), ("START_POSITION_OFFSET", "1_0"),
        ("WORLD_NAME", "a\tb"),
    ],
)  # fmt: skip
def test_a_bad_value_is_an_error_that_names_the_key(key, value):
    assert f"{key} is" in fault(**{key: value})


@pytest.mark.parametrize(
    ("keys", "named"),
    [
        ({"NUMBER_OF_OBSTACLES": 3}, "NUMBER_OF_OBSTACLES in a TIME_TRIAL"),
        ({"NUMBER_OF_BOT_CARS": 3}, "NUMBER_OF_BOT_CARS in a TIME_TRIAL"),
        ({"OBJECT_POSITIONS": "0.2,1"}, "OBJECT_POSITIONS in a TIME_TRIAL"),
        ({"RACE_TYPE": "OBJECT_AVOIDANCE", "NUMBER_OF_OBSTACLES": 0}, "NUMBER_OF_OBSTACLES is 0"),
        ({"RACE_TYPE": "HEAD_TO_BOT", "NUMBER_OF_BOT_CARS": 0}, "NUMBER_OF_BOT_CARS is 0"),
        (
            {"RACE_TYPE": "OBJECT_AVOIDANCE", "NUMBER_OF_OBSTACLES": 1, "OBJECT_POSITIONS": ["0.2,1", "0.4,1"]},
            "OBJECT_POSITIONS has 2 places",
        ),
        (
            {"RACE_TYPE": "HEAD_TO_BOT", "NUMBER_OF_OBSTACLES": 1},
            "NUMBER_OF_OBSTACLES together with NUMBER_OF_BOT_CARS",
        ),
        (
            {"RACE_TYPE": "HEAD_TO_BOT", "NUMBER_OF_OBSTACLES": 1, "IS_OBSTACLE_BOT_CAR": True},
            "IS_OBSTACLE_BOT_CAR together with NUMBER_OF_BOT_CARS",
        ),
        ({"RACE_TYPE": "HEAD_TO_BOT", "IS_LANE_CHANGE": True, "BOT_CAR_SPEED": 0}, "IS_LANE_CHANGE"),
        ({"LOWER_LANE_CHANGE_TIME": 6}, "LOWER_LANE_CHANGE_TIME is 6"),
        ({"MULTI_CONFIG": "True"}, "MULTI_CONFIG"),
        ({"JOB_TYPE": "EVALUATION"}, "JOB_TYPE"),
        ({"WORLD_NAME": ["kidney", "hairpin"]}, "WORLD_NAME"),
        ({"RACE_TYPE": "F1"}, "F1 with 0 models"),
        ({"RACE_TYPE": "HEAD_TO_MODEL", "MODEL_S3_PREFIX": ["a", "b", "c"]}, "HEAD_TO_MODEL with 3 models"),
        ({"RACE_TYPE": "F1", "MODEL_S3_PREFIX": ["a", ""]}, "no address for car 1"),
        ({"RACE_TYPE": "F1", "MODEL_S3_PREFIX": list("abc"), "MODEL_S3_BUCKET": list("ab")}, "MODEL_S3_BUCKET has 2"),
        ({"CAR_COLOR": ["Red", "Blue"]}, "CAR_COLOR has 2 entries"),
    ],
)
def test_a_contradiction_is_an_error_that_names_the_key(keys, named):
    assert named in fault(**keys)


def test_places_alone_say_how_many_objects_there_are():
    assert race(RACE_TYPE="OBJECT_AVOIDANCE", OBJECT_POSITIONS="0.1,1;0.2,-1").number_of_obstacles == 2
    assert race(RACE_TYPE="OBJECT_AVOIDANCE").number_of_obstacles == 6
    assert race(RACE_TYPE="HEAD_TO_BOT").number_of_bot_cars == 3


def test_cars_of_a_race_of_models():
    config = race(
        RACE_TYPE="F1",
        MODEL_S3_PREFIX=["mine", "rivals/one", "s3://other/two"],
        MODEL_S3_BUCKET="models",
        RACER_NAME=["me"],
        DISPLAY_NAME=["Car of mine", "One"],
        CAR_COLOR=["Black"],
    )
    assert config.cars == (
        CarEntry("me", "Car of mine", "Black", ""),
        CarEntry("One", "One", "Blue", "s3://models/rivals/one"),
        CarEntry("racer3", "racer3", "Orange", "s3://other/two"),
    )


def test_the_evaluation_replaces_keys_and_leaves_another_races_objects_behind():
    trained = yaml.safe_dump({"RACE_TYPE": "OBJECT_AVOIDANCE", "NUMBER_OF_OBSTACLES": 4, "REVERSE_DIR": True})
    same = RaceConfig.for_evaluation(trained, "NUMBER_OF_TRIALS: 5")
    assert (same.race_type, same.number_of_obstacles, same.number_of_trials) == ("OBJECT_AVOIDANCE", 4, 5)
    more = RaceConfig.for_evaluation(trained, "NUMBER_OF_OBSTACLES: 6\nJOB_TYPE: EVALUATION")
    assert (more.number_of_obstacles, more.reverse_dir) == (6, True)
    other = RaceConfig.for_evaluation(trained, "race_type: TIME_TRIAL".replace("race_type", "RACE_TYPE"))
    assert (other.race_type, other.number_of_obstacles, other.reverse_dir) == ("TIME_TRIAL", 0, True)
    with pytest.raises(UserError, match="NUMBER_OF_OBSTACLES in a TIME_TRIAL"):
        RaceConfig.for_evaluation(trained, "RACE_TYPE: TIME_TRIAL\nNUMBER_OF_OBSTACLES: 2")
    several = RaceConfig.for_evaluation("", "WORLD_NAME: [kidney, hairpin]")
    assert several.world_name == ("kidney", "hairpin")


def test_a_key_that_is_a_parameter_goes_before_it():
    config = race(NUMBER_OF_TRIALS=7)
    assert config.or_parameter("NUMBER_OF_TRIALS", 3) == 7
    assert config.or_parameter("NUMBER_OF_RESETS", 10) == 10
    assert race(NUMBER_OF_RESETS=0).or_parameter("NUMBER_OF_RESETS", 10) == 0
    assert config.or_parameter("WORLD_NAME", ("kidney",)) == ("kidney",)
    assert set(PARAMETERS) <= set(KEYS)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a: [b", "not YAML"), ("- a\n- b", "no keys"), ("just a text", "no keys"), ("A: {B: {C: 1}}", "nested"),
        ("A: 1\nA: 2", "A is given twice"), ("X: &a 1\nY: *a", "anchor"), ("A: {B: 1}", "A is neither"),
        ("? [a]\n: b", "no word"), ("a: 1\n---\nb: 2", "not YAML"), ("\x00", "not YAML"), ("a: \tb: c", "not YAML"),
        ("A: " + "x" * MAX_CHARACTERS, "characters"), ("[" * 20_000, "nested"),
        ("A: [" + "1," * 1200 + "]", "1,200 values"),
    ],
)  # fmt: skip
def test_what_is_no_flat_yaml_is_an_error(text, named):
    with pytest.raises(UserError) as caught:
        read_mapping(text, "race")
    assert named in caught.value.cause
    assert "\n" not in caught.value.cause


def test_a_bomb_of_aliases_is_refused_before_it_grows():
    lines = ["a0: &a0 [x, x]"] + [f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]" for i in range(1, 60)]
    with pytest.raises(UserError, match="anchor"):
        read_mapping("\n".join(lines), "race")


def test_tags_make_no_objects(tmp_path):
    target = tmp_path / "made"
    text = f"RACE_TYPE: !!python/object/apply:os.mkdir ['{target}']"
    with pytest.raises(UserError):
        race(text)
    assert not target.exists()


texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=60)


def cause_of(text: str) -> str | None:
    """None: it was read."""
    try:
        RaceConfig.parse(text, "training")
    except UserError as error:
        return f"{error.cause} {error.remedy}"
    return None


@given(texts)
def test_any_text_is_read_or_is_a_user_error(text):
    assert cause_of(text) != ""


@given(st.dictionaries(st.sampled_from(sorted(KEYS)), st.one_of(texts, st.lists(texts, max_size=3)), max_size=6))
def test_any_values_are_read_or_name_their_key(keys):
    cause = cause_of(yaml.safe_dump(keys))
    assert cause is None or "not YAML" in cause or any(name in cause for name in KEYS)


@given(st.lists(st.tuples(st.floats(0, 1), st.sampled_from([-1, 1])), min_size=1, max_size=8))
def test_places_come_back_as_they_were_written(places):
    written = [f"{at!r},{lane}" for at, lane in places]
    config = race(RACE_TYPE="OBJECT_AVOIDANCE", OBJECT_POSITIONS=written)
    assert config.object_positions == tuple(places)
    assert config.number_of_obstacles == len(places)


@given(st.sampled_from(sorted(KEYS)), st.data())
def test_quotes_make_no_difference(name, data):
    value = data.draw(st.sampled_from(["1", "true", "0.5", "Red", "F1", "TRAINING", "progress", "0.5,1"]))

    def outcome(text: str) -> object:
        try:
            return RaceConfig.parse(text, "training")
        except UserError as error:
            return error.cause

    assert outcome(f"{name}: {value}") == outcome(f"'{name}': \"{value}\"")
