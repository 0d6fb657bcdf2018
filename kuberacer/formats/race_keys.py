"""The keys of DeepRacer's training and evaluation YAML: which there are, how each is read, what each may be.

Values come as texts (tools write them all in quotes) or as tuples of texts.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from kuberacer.errors import UserError
from kuberacer.formats.yaml_input import Value

RACE_TYPES = ("TIME_TRIAL", "OBJECT_AVOIDANCE", "HEAD_TO_BOT", "HEAD_TO_MODEL", "F1")
COLORS = ("Red", "Blue", "Orange", "Purple", "White", "Grey", "Black")
OBSTACLE_TYPES = ("box_obstacle", "deepracer_box_obstacle", "amazon_box_obstacle")
MOST_CARS = 12  # on one track
_TRUE, _FALSE = ("true", "yes", "on", "t", "1"), ("false", "no", "off", "f", "0")


class BadValue(Exception):
    """What the value should have been, as the end of the sentence `KEY is VALUE; it takes …`."""


@dataclass(frozen=True)
class Key:
    """read: Value -> the attribute's value, BadValue when it is none. default: when the key is not given.

    many: a list is one value a car (or a track). unused: why nothing here needs it; '' when it acts.
    """

    read: Callable[[str], Any]
    default: Any = None
    many: bool = False
    unused: str = ""

    def value(self, name: str, given: Value, document: str) -> Any:
        """Raises UserError that names the key."""
        try:
            if self.many:
                items = given if isinstance(given, tuple) else (given,)
                if len(items) > MOST_CARS:
                    raise BadValue(f"a list of at most {MOST_CARS}")
                return tuple(self.read(item.strip()) for item in items)
            if isinstance(given, tuple):
                if len(set(given)) != 1:
                    raise BadValue("one value, not a list")
                given = given[0]  # tools write one value a car, even where the cars cannot differ
            return self.read(given.strip())
        except BadValue as wanted:
            shown = repr(list(given) if isinstance(given, tuple) else given)
            shown = shown if len(shown) <= 60 else shown[:57] + "…"
            raise UserError(
                f"{document}: {name} is {shown}; it takes {wanted}", f"mend {name}, or leave it out"
            ) from None


def boolean(text: str) -> bool:
    if text.lower() not in _TRUE + _FALSE:
        raise BadValue("true or false")
    return text.lower() in _TRUE


def whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        number = _number(text)
        if number is None or number != math.floor(number) or not low <= number <= high:
            raise BadValue(f"a whole number of {low} to {high:,}")
        return int(number)

    return read


def real(low: float, high: float, unit: str = "") -> Callable[[str], float]:
    def read(text: str) -> float:
        number = _number(text)
        if number is None or not low <= number <= high:
            raise BadValue(f"a number of {low:g} to {high:g}" + (f" ({unit})" if unit else ""))
        return number

    return read


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and "_" not in text else None


def choice(*words: str) -> Callable[[str], str]:
    def read(text: str) -> str:
        found = {word.lower(): word for word in words}.get(text.lower())
        if found is None:
            raise BadValue(f"one of {', '.join(words)}")
        return found

    return read


def words(most: int = 200) -> Callable[[str], str]:
    def read(text: str) -> str:
        if len(text) > most or not text.isprintable():
            raise BadValue(f"one line of at most {most} characters")
        return text

    return read


def position(text: str) -> tuple[float, int]:
    """`0.23,-1`: (fraction of the lap, lane: -1 the outer one, 1 the inner one)."""
    fraction, comma, lane = text.partition(",")
    at, side = _number(fraction), _number(lane)
    if not comma or at is None or not 0 <= at <= 1 or side not in (-1.0, 1.0):
        raise BadValue(
            'places such as "0.23,-1": a fraction of the lap (0 to 1), and -1 (outer lane) or 1 (inner lane)'
        )
    return at, int(side)


_STORE = "KubeRacer's own store and run names say where things lie"
_AWS = "names a thing of AWS"
_TEXT = words(1000)

# In the order of docs/race.md. A default of None: the pipeline's parameter of that meaning decides.
KEYS: dict[str, Key] = {
    # the race
    "RACE_TYPE": Key(choice(*RACE_TYPES), "TIME_TRIAL"),
    "WORLD_NAME": Key(words(), (), many=True),
    "REVERSE_DIR": Key(boolean, False),
    "ENABLE_DOMAIN_RANDOMIZATION": Key(boolean, False),
    "JOB_TYPE": Key(choice("TRAINING", "EVALUATION"), ""),
    # training
    "ALTERNATE_DRIVING_DIRECTION": Key(boolean, False),
    "CHANGE_START_POSITION": Key(boolean, True),
    "ROUND_ROBIN_ADVANCE_DIST": Key(real(0, 1, "of the lap"), 0.05),
    "START_POSITION_OFFSET": Key(real(0, 1, "of the lap"), 0.0),
    "MIN_EVAL_TRIALS": Key(whole(1, 100), 5),
    "BEST_MODEL_METRIC": Key(choice("progress", "reward"), "progress"),
    "MULTI_CONFIG": Key(_TEXT, ""),
    # the cars
    "CAR_COLOR": Key(choice(*COLORS), (), many=True),
    "DISPLAY_NAME": Key(words(), (), many=True),
    "RACER_NAME": Key(words(), (), many=True),
    "MODEL_S3_BUCKET": Key(words(), (), many=True),
    "MODEL_S3_PREFIX": Key(_TEXT, (), many=True),
    # objects
    "NUMBER_OF_OBSTACLES": Key(whole(0, 100), None),
    "MIN_DISTANCE_BETWEEN_OBSTACLES": Key(real(0, 100, "m"), 2.0),
    "RANDOMIZE_OBSTACLE_LOCATIONS": Key(boolean, False),
    "IS_OBSTACLE_BOT_CAR": Key(boolean, False),
    "OBSTACLE_TYPE": Key(choice(*OBSTACLE_TYPES), "box_obstacle"),
    "OBJECT_POSITIONS": Key(position, ()),
    # bots
    "NUMBER_OF_BOT_CARS": Key(whole(0, 100), None),
    "MIN_DISTANCE_BETWEEN_BOT_CARS": Key(real(0, 100, "m"), 2.0),
    "RANDOMIZE_BOT_CAR_LOCATIONS": Key(boolean, False),
    "BOT_CAR_SPEED": Key(real(0, 4, "m/s"), 0.2),
    "IS_LANE_CHANGE": Key(boolean, False),
    "LOWER_LANE_CHANGE_TIME": Key(real(0.1, 1000, "s"), 3.0),
    "UPPER_LANE_CHANGE_TIME": Key(real(0.1, 1000, "s"), 5.0),
    "LANE_CHANGE_DISTANCE": Key(real(0.1, 100, "m"), 1.0),
    "PENALTY_SECONDS": Key(real(0, 1000, "s"), unused="a bot that was hit drives on; COLLISION_PENALTY is the racer's"),
    # evaluation
    "NUMBER_OF_TRIALS": Key(whole(1, 1000), None),
    "IS_CONTINUOUS": Key(boolean, False),
    "NUMBER_OF_RESETS": Key(whole(0, 1_000_000), None),
    "OFF_TRACK_PENALTY": Key(real(0, 1000, "s"), None),
    "COLLISION_PENALTY": Key(real(0, 1000, "s"), None),
    "RESET_BEHIND_DIST": Key(real(0, 100, "m"), 1.0),
    "EVAL_CHECKPOINT": Key(words(), "best"),
    "LEADERBOARD_TYPE": Key(words(), ""),
    "LEADERBOARD_NAME": Key(words(), ""),
    # read and put aside
    "AWS_REGION": Key(_TEXT, unused=_AWS),
    "S3_ENDPOINT_URL": Key(_TEXT, unused="KUBERACER_S3_ENDPOINT says where the store is"),
    "KINESIS_VIDEO_STREAM_NAME": Key(_TEXT, many=True, unused="videos are files here"),
    "METRICS_S3_BUCKET": Key(_TEXT, many=True, unused=_STORE),
    "METRICS_S3_OBJECT_KEY": Key(_TEXT, many=True, unused=_STORE),
    "MODEL_METADATA_FILE_S3_KEY": Key(_TEXT, many=True, unused="the parameter `metadata` has the text itself"),
    "REWARD_FILE_S3_KEY": Key(_TEXT, many=True, unused="the parameter `reward` has the text or its address"),
    "SAGEMAKER_SHARED_S3_BUCKET": Key(_TEXT, unused=_STORE),
    "SAGEMAKER_SHARED_S3_PREFIX": Key(_TEXT, unused=_STORE),
    "SIMTRACE_S3_BUCKET": Key(_TEXT, many=True, unused=_STORE),
    "SIMTRACE_S3_PREFIX": Key(_TEXT, many=True, unused=_STORE),
    "MP4_S3_BUCKET": Key(_TEXT, many=True, unused="every evaluation makes its videos"),
    "MP4_S3_OBJECT_PREFIX": Key(_TEXT, many=True, unused="every evaluation makes its videos"),
    "NUM_WORKERS": Key(whole(1, 100_000), unused="the parameter `rollout_workers` says how many"),
    "BODY_SHELL_TYPE": Key(_TEXT, many=True, unused="all cars have one body, in the colour CAR_COLOR"),
    "CAR_NAME": Key(_TEXT, many=True, unused="DISPLAY_NAME and RACER_NAME are what is shown"),
    # what the community's tools write besides
    "ROBOMAKER_SIMULATION_JOB_ACCOUNT_ID": Key(_TEXT, unused=_AWS),
    "TRAINING_JOB_ARN": Key(_TEXT, unused=_AWS),
    "CAMERA_MAIN_ENABLE": Key(_TEXT, unused="videos need no camera of the simulator"),
    "CAMERA_SUB_ENABLE": Key(_TEXT, unused="videos need no camera of the simulator"),
    "VIDEO_JOB_TYPE": Key(_TEXT, unused="videos are told apart by what they show"),
    "MODEL_NAME": Key(_TEXT, many=True, unused="DISPLAY_NAME is what is shown"),
    "TARGET_REWARD_SCORE": Key(_TEXT, unused="the hyperparameter term_cond_avg_score ends a training"),
    "NUMBER_OF_EPISODES": Key(_TEXT, unused="the hyperparameter term_cond_max_episodes ends a training"),
}  # fmt: skip
# Keys that are parameters of the pipelines, too; the parameter's name.
PARAMETERS = {
    "WORLD_NAME": "track",
    "NUMBER_OF_TRIALS": "trials",
    "NUMBER_OF_RESETS": "resets",
    "OFF_TRACK_PENALTY": "off_track_penalty",
    "COLLISION_PENALTY": "collision_penalty",
}
