"""A race as DeepRacer's training or evaluation YAML describes it: read, checked, with every default.

Whether its objects fit on a track is for the simulator to say (Scene.check).
"""

import difflib
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from kuberacer.errors import UserError
from kuberacer.formats.race_keys import COLORS, KEYS, PARAMETERS, position
from kuberacer.formats.yaml_input import Value, read_mapping

Purpose = Literal["training", "evaluation"]
BOXES, BOTS = 6, 3  # of an OBJECT_AVOIDANCE, of a HEAD_TO_BOT
WITH_MODELS = ("HEAD_TO_MODEL", "F1")
# Keys that speak of one race type's objects: another race type in the evaluation leaves them behind.
_OBJECT_KEYS = (
    "NUMBER_OF_OBSTACLES", "MIN_DISTANCE_BETWEEN_OBSTACLES", "RANDOMIZE_OBSTACLE_LOCATIONS", "IS_OBSTACLE_BOT_CAR",
    "OBSTACLE_TYPE", "OBJECT_POSITIONS", "NUMBER_OF_BOT_CARS", "MIN_DISTANCE_BETWEEN_BOT_CARS",
    "RANDOMIZE_BOT_CAR_LOCATIONS", "BOT_CAR_SPEED", "IS_LANE_CHANGE", "LOWER_LANE_CHANGE_TIME",
    "UPPER_LANE_CHANGE_TIME", "LANE_CHANGE_DISTANCE", "MODEL_S3_BUCKET", "MODEL_S3_PREFIX",
)  # fmt: skip


@dataclass(frozen=True)
class CarEntry:
    """One car of a race. address: s3://bucket/prefix or a prefix in the run's own bucket; '' for the model at hand."""

    racer_name: str
    display_name: str
    color: str
    address: str = ""


@dataclass(frozen=True)
class RaceConfig:
    """Attributes by the keys' names in lower case; docs/race.md says what each means.

    None: the pipeline's parameter decides. given: the keys that the text has. unused: those of them that nothing here
    needs, with the reason.
    """

    race_type: str
    world_name: tuple[str, ...]
    reverse_dir: bool
    enable_domain_randomization: bool
    job_type: str
    alternate_driving_direction: bool
    change_start_position: bool
    round_robin_advance_dist: float
    start_position_offset: float
    min_eval_trials: int
    best_model_metric: str
    multi_config: str
    car_color: tuple[str, ...]
    display_name: tuple[str, ...]
    racer_name: tuple[str, ...]
    model_s3_bucket: tuple[str, ...]
    model_s3_prefix: tuple[str, ...]
    number_of_obstacles: int
    min_distance_between_obstacles: float
    randomize_obstacle_locations: bool
    is_obstacle_bot_car: bool
    obstacle_type: str
    object_positions: tuple[tuple[float, int], ...]
    number_of_bot_cars: int
    min_distance_between_bot_cars: float
    randomize_bot_car_locations: bool
    bot_car_speed: float
    is_lane_change: bool
    lower_lane_change_time: float
    upper_lane_change_time: float
    lane_change_distance: float
    number_of_trials: int | None
    is_continuous: bool
    number_of_resets: int | None
    off_track_penalty: float | None
    collision_penalty: float | None
    reset_behind_dist: float
    eval_checkpoint: str
    leaderboard_type: str
    leaderboard_name: str
    given: frozenset[str] = frozenset()
    unused: dict[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str, purpose: Purpose) -> Self:
        """Read YAML; '' gives all defaults. Raises UserError naming the key: unknown, a bad value, a contradiction."""
        return cls._of(read_mapping(text, _document(purpose)), purpose)

    @classmethod
    def for_evaluation(cls, race: str, evaluation: str) -> Self:
        """The race of the evaluation: `race` with the keys of `evaluation` in the place of its own.

        Another RACE_TYPE leaves the first one's objects and rivals behind. Raises UserError as parse does."""
        first = read_mapping(race, _document("training"))
        second = read_mapping(evaluation, _document("evaluation"))
        trained = cls._of(first, "training").race_type
        wanted = KEYS["RACE_TYPE"].value("RACE_TYPE", second.get("RACE_TYPE") or trained, _document("evaluation"))
        if wanted != trained:
            first = {key: value for key, value in first.items() if key not in _OBJECT_KEYS}
        first.pop("JOB_TYPE", None)
        return cls._of({**first, **second}, "evaluation")

    @classmethod
    def _of(cls, mapping: dict[str, Value], purpose: Purpose) -> Self:
        document = _document(purpose)
        values: dict[str, Any] = {name.lower(): key.default for name, key in KEYS.items() if not key.unused}
        given, unused = set(), {}
        for name, value in mapping.items():
            key = KEYS.get(name)
            if key is None:
                raise _unknown(name, document)
            given.add(name)
            if key.unused:
                unused[name] = key.unused
            if value == "" or value == ():  # as tools write what is not set
                continue
            if name == "OBJECT_POSITIONS":
                values["object_positions"] = _positions(value, document)
            elif key.unused:
                key.value(name, value, document)
            else:
                values[name.lower()] = key.value(name, value, document)
        parts = (part.strip() for names in values["world_name"] for part in names.split(","))
        values["world_name"] = tuple(part for part in parts if part)
        _count_objects(values, given, document)
        race = cls(**values, given=frozenset(given), unused=unused)
        race._check(purpose, document)
        return race

    @property
    def together(self) -> int:
        """Cars that share a track: those of a race of models, else each has it to itself."""
        return len(self.model_s3_prefix) if self.race_type in WITH_MODELS else 1

    @property
    def cars(self) -> tuple[CarEntry, ...]:
        """The cars that race together; the first drives the model at hand, the others the models at their address."""

        def of(values: tuple[str, ...], car: int, default: str) -> str:
            return values[car] if car < len(values) and values[car] else default

        entries = []
        for car in range(self.together):
            racer = of(self.racer_name, car, of(self.display_name, car, f"racer{car + 1}"))
            entries.append(
                CarEntry(
                    racer_name=racer,
                    display_name=of(self.display_name, car, racer),
                    color=of(self.car_color, car, COLORS[car % len(COLORS)]),
                    address=self._address(car) if car else "",
                )
            )
        return tuple(entries)

    def or_parameter(self, key: str, parameter: Any) -> Any:
        """The key's value, or that of the pipeline's parameter of the same meaning when the YAML does not say."""
        assert key in PARAMETERS
        value = getattr(self, key.lower())
        return parameter if value is None or value == () else value

    def _address(self, car: int) -> str:
        prefix = self.model_s3_prefix[car]
        if prefix.startswith("s3://") or not self.model_s3_bucket:
            return prefix
        bucket = self.model_s3_bucket[car if len(self.model_s3_bucket) > 1 else 0]
        return f"s3://{bucket}/{prefix}" if bucket else prefix

    def _check(self, purpose: Purpose, document: str) -> None:
        """What is wrong in itself, on any track. Raises UserError."""

        def wrong(cause: str, remedy: str) -> UserError:
            return UserError(f"{document}: {cause}", remedy)

        if purpose == "training" and self.job_type == "EVALUATION":
            raise wrong("JOB_TYPE is EVALUATION: it describes an evaluation", "give it as the evaluation's YAML")
        if self.multi_config.lower() not in ("", "false", "no", "off", "0"):
            raise wrong(
                "MULTI_CONFIG is not supported: all workers of a training drive one race",
                "leave MULTI_CONFIG out; train on one track after the other with RESUME, or in runs of their own",
            )
        if purpose == "training" and len(self.world_name) > 1:
            raise wrong("WORLD_NAME has several tracks; a training takes one", "list tracks in the evaluation's YAML")
        if self.lower_lane_change_time > self.upper_lane_change_time:
            raise wrong(
                f"LOWER_LANE_CHANGE_TIME is {self.lower_lane_change_time:g}, UPPER_LANE_CHANGE_TIME "
                f"{self.upper_lane_change_time:g}",
                "give a lower time that is not above the upper one",
            )
        if self.is_lane_change and self.number_of_bot_cars and self.bot_car_speed == 0:
            raise wrong("IS_LANE_CHANGE with a BOT_CAR_SPEED of 0: bots that stand change no lane", "let one go")
        self._check_objects(wrong)
        self._check_cars(wrong)

    def _check_objects(self, wrong: Any) -> None:
        kind, boxes, bots = self.race_type, self.number_of_obstacles, self.number_of_bot_cars
        if kind == "TIME_TRIAL" and (boxes or bots):
            key = "NUMBER_OF_OBSTACLES" if boxes else "NUMBER_OF_BOT_CARS"
            key = "OBJECT_POSITIONS" if self.object_positions else key
            better = "OBJECT_AVOIDANCE" if boxes else "HEAD_TO_BOT"
            raise wrong(f"{key} in a TIME_TRIAL: it has no objects", f"set RACE_TYPE: {better}, or leave {key} out")
        if kind == "OBJECT_AVOIDANCE" and not boxes:
            raise wrong(
                "NUMBER_OF_OBSTACLES is 0 in an OBJECT_AVOIDANCE", "give 1 or more, or set RACE_TYPE: TIME_TRIAL"
            )
        if kind == "HEAD_TO_BOT" and not bots:
            raise wrong("NUMBER_OF_BOT_CARS is 0 in a HEAD_TO_BOT", "give 1 or more, or set RACE_TYPE: TIME_TRIAL")
        if len(self.object_positions) > boxes:
            raise wrong(
                f"OBJECT_POSITIONS has {len(self.object_positions)} places, NUMBER_OF_OBSTACLES is {boxes}",
                "give NUMBER_OF_OBSTACLES at least as many, or leave it out",
            )
        if boxes and bots and self.bot_car_speed > 0 and not self.is_obstacle_bot_car:
            raise wrong(
                "NUMBER_OF_OBSTACLES together with NUMBER_OF_BOT_CARS: the bots would drive through the boxes",
                "leave one of the two out, or set BOT_CAR_SPEED: 0",
            )
        if self.is_obstacle_bot_car and boxes and bots:
            raise wrong(
                "IS_OBSTACLE_BOT_CAR together with NUMBER_OF_BOT_CARS: bots either stand or drive",
                "leave one of the two out",
            )

    def _check_cars(self, wrong: Any) -> None:
        kind, prefixes = self.race_type, self.model_s3_prefix
        if kind in WITH_MODELS:
            least, most = (2, 2) if kind == "HEAD_TO_MODEL" else (2, 99)
            if not least <= len(prefixes) <= most:
                wanted = "two entries" if kind == "HEAD_TO_MODEL" else "two or more entries"
                raise wrong(
                    f"{kind} with {len(prefixes)} models in MODEL_S3_PREFIX",
                    f"list {wanted}: first the model at hand (any name), then each rival's prefix or s3:// address",
                )
            for car, prefix in enumerate(prefixes[1:], 1):
                if not prefix:
                    raise wrong(f"MODEL_S3_PREFIX has no address for car {car}", "give the prefix of a trained model")
            if len(self.model_s3_bucket) not in (0, 1, len(prefixes)):
                raise wrong(
                    f"MODEL_S3_BUCKET has {len(self.model_s3_bucket)} entries, MODEL_S3_PREFIX {len(prefixes)}",
                    "give one bucket for all, or one a model",
                )
        for name in ("CAR_COLOR", "DISPLAY_NAME", "RACER_NAME"):
            entries = getattr(self, name.lower())
            if len(entries) > self.together:
                cars = f"{self.together} cars" if self.together > 1 else "one car"
                raise wrong(f"{name} has {len(entries)} entries; a {kind} here has {cars}", "give one entry a car")


def _document(purpose: Purpose) -> str:
    return "race" if purpose == "training" else "evaluation"


def _unknown(name: str, document: str) -> UserError:
    near = difflib.get_close_matches(name.upper(), KEYS, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else "docs/race.md lists the keys"
    return UserError(f"{document}: there is no key {name[:60]!r}", hint)


def _positions(value: Value, document: str) -> tuple[tuple[float, int], ...]:
    """A list of places, or one text of them with semicolons between."""
    texts = value.split(";") if isinstance(value, str) else list(value)
    key = KEYS["OBJECT_POSITIONS"]
    assert key.read is position
    return tuple(key.value("OBJECT_POSITIONS", text, document) for text in texts if text.strip())


def _count_objects(values: dict[str, Any], given: set[str], document: str) -> None:
    """How many objects there are when the YAML does not say."""
    kind = values["race_type"]
    if values["number_of_obstacles"] is None:
        values["number_of_obstacles"] = len(values["object_positions"]) or (BOXES if kind == "OBJECT_AVOIDANCE" else 0)
    if values["number_of_bot_cars"] is None:
        values["number_of_bot_cars"] = BOTS if kind == "HEAD_TO_BOT" else 0
