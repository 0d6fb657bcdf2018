"""DeepRacer's `model_metadata.json`: the actions, the sensor and the network of a model.

Pure Python and NumPy: importable without TensorFlow. Rules: DeepRacer's model metadata, versions up to "5".
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np

from kuberacer.coach.algorithms import ALGORITHMS, taking
from kuberacer.coach.json_input import number, read_object, shown
from kuberacer.coach.sensors import BINARY_SECTORS, DOCUMENT, FRAME, RANGES, Input, LidarConfig, read_sensors
from kuberacer.errors import UserError

NETWORKS = (
    "DEEP_CONVOLUTIONAL_NETWORK_SHALLOW",
    "DEEP_CONVOLUTIONAL_NETWORK",
    "DEEP_CONVOLUTIONAL_NETWORK_DEEP",
)
STEERING_DEG = (-30.0, 30.0)
SPEED = (0.1, 4.0)  # m/s
DISCRETE_ACTIONS = (2, 30)
KEYS = (
    "action_space",
    "action_space_type",
    "training_algorithm",
    "neural_network",
    "version",
    "sensor",
    "lidar_config",
    "preprocess_type",
    "regional_parameters",
)


@dataclass(frozen=True)
class DiscreteAction:
    steering_angle: float  # degrees, left is positive
    speed: float  # m/s


@dataclass(frozen=True)
class ContinuousActions:
    steering_angle: tuple[float, float]  # low, high; degrees
    speed: tuple[float, float]  # low, high; m/s


@dataclass(frozen=True)
class ModelMetadata:
    algorithm: str
    action_space: tuple[DiscreteAction, ...] | ContinuousActions
    network: str
    sensors: tuple[str, ...]
    version: str = "5"
    lidar_config: LidarConfig | None = None  # None: the file has none
    preprocess_type: Any = None
    regional_parameters: Any = None
    names_sensor: bool = True  # False: the file has no `sensor` key, which means `observation`

    @classmethod
    def parse(cls, text: str | None, algorithm: str | None = None, by_preset: bool = False) -> Self:
        """Read and check a metadata file; None or blank text gives the default of `algorithm`.

        by_preset: `algorithm` is a preset's, and replaces what the file says of it.

        Raises UserError naming the key, its value and the rule.
        """
        if algorithm is not None and algorithm not in ALGORITHMS:
            raise UserError(f"algorithm is {shown(algorithm)}", f"choose one of: {', '.join(ALGORITHMS)}")
        if text is None or not text.strip():
            return cls.default(algorithm or "clipped_ppo")
        given = read_object(text, DOCUMENT)
        for key in given:
            if key not in KEYS:
                raise UserError(f"{DOCUMENT}: unknown key {key!r}", f"the keys are: {', '.join(KEYS)}")
        if "action_space" not in given:
            raise UserError(
                f"{DOCUMENT}: action_space is missing",
                "give a list of {steering_angle, speed}, or {speed: {low, high}, steering_angle: {low, high}}",
            )
        chosen = algorithm if algorithm and by_preset else _algorithm(given.get("training_algorithm"), algorithm)
        return cls(
            algorithm=chosen,
            action_space=_action_space(given["action_space"], given.get("action_space_type"), chosen),
            network=_one_of("neural_network", given.get("neural_network", NETWORKS[0]), NETWORKS),
            sensors=read_sensors(given.get("sensor", ["observation"])),
            version=_version(given.get("version", "5")),
            lidar_config=LidarConfig.parse(given.get("lidar_config")),
            preprocess_type=given.get("preprocess_type"),
            regional_parameters=given.get("regional_parameters"),
            names_sensor="sensor" in given,
        )

    @classmethod
    def default(cls, algorithm: str) -> Self:
        """Speeds near 1 m/s: at full lock the tyres' grip ends at 1.18 m/s, beyond it a command does not act."""
        actions: tuple[DiscreteAction, ...] | ContinuousActions
        if not ALGORITHMS[algorithm].discrete:
            actions = ContinuousActions(steering_angle=STEERING_DEG, speed=(0.8, 1.2))
        else:
            choices = ((-30.0, 1.0), (-15.0, 1.1), (0.0, 1.2), (15.0, 1.1), (30.0, 1.0))
            actions = tuple(DiscreteAction(*choice) for choice in choices)
        return cls(algorithm=algorithm, action_space=actions, network=NETWORKS[0], sensors=("FRONT_FACING_CAMERA",))

    @property
    def continuous(self) -> bool:
        return isinstance(self.action_space, ContinuousActions)

    @property
    def actions(self) -> int:
        """The number of discrete actions, or of continuous axes."""
        return 2 if isinstance(self.action_space, ContinuousActions) else len(self.action_space)

    @property
    def camera(self) -> str:
        """The name of the network's camera input, which the car looks for."""
        return self.sensors[0]

    @property
    def lidar(self) -> str | None:
        return self.sensors[1] if len(self.sensors) > 1 else None

    @property
    def views(self) -> int:
        """Frames that the cameras give at a time."""
        return 2 if self.camera == "STEREO_CAMERAS" else 1

    @property
    def lidar_sectors(self) -> LidarConfig | None:
        """How the network sees the lidar; None: as distances, or there is no lidar."""
        if self.lidar == "SECTOR_LIDAR":
            return BINARY_SECTORS
        return (self.lidar_config or LidarConfig()) if self.lidar == "DISCRETIZED_SECTOR_LIDAR" else None

    def inputs(self, stack: int) -> tuple[Input, ...]:
        """The network's inputs, camera first, for a stack of so many time steps of the camera."""
        camera = Input(self.camera, (*FRAME, self.views * stack))
        if self.lidar is None:
            return (camera,)
        sectors = self.lidar_sectors
        values = sectors.num_sectors * sectors.num_values_per_sector if sectors else RANGES
        return (camera, Input(self.lidar, (values,)))

    def decode(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What a car does for the agent's actions: (steering in degrees, speed in m/s), each (N,) float32.

        Discrete: (N,) integers. Continuous: (N, 2) [steering, speed] in -1..1, clipped and scaled as on the car.
        """
        if isinstance(self.action_space, ContinuousActions):
            low, high = np.array([self.action_space.steering_angle, self.action_space.speed], np.float32).T
            scaled = low + (np.clip(np.asarray(actions, np.float32), -1, 1) + 1) / 2 * (high - low)
            return scaled[:, 0], scaled[:, 1]
        table = np.array([(a.steering_angle, a.speed) for a in self.action_space], np.float32)
        chosen = table[np.asarray(actions)]
        return chosen[:, 0], chosen[:, 1]

    def to_json(self) -> str:
        """The file's text, readable by DeepRacer's tools and the car."""
        space: Any
        if isinstance(self.action_space, ContinuousActions):
            bounds = {"steering_angle": self.action_space.steering_angle, "speed": self.action_space.speed}
            space = {key: {"low": low, "high": high} for key, (low, high) in bounds.items()}
        else:
            space = [
                {"steering_angle": action.steering_angle, "speed": action.speed, "index": index}
                for index, action in enumerate(self.action_space)
            ]
        text: dict[str, Any] = {
            "action_space": space,
            "action_space_type": "continuous" if self.continuous else "discrete",
            "training_algorithm": self.algorithm,
            "neural_network": self.network,
            "version": self.version,
        }
        if self.names_sensor:
            text["sensor"] = list(self.sensors)
        if self.lidar_config is not None:
            text["lidar_config"] = asdict(self.lidar_config)
        for key in ("preprocess_type", "regional_parameters"):
            if getattr(self, key) is not None:
                text[key] = getattr(self, key)
        return json.dumps(text, indent=2) + "\n"


def _one_of(key: str, value: Any, choices: Collection[str]) -> str:
    if not isinstance(value, str) or value not in choices:
        raise UserError(f"{DOCUMENT}: {key} is {shown(value)}", f"{key} is one of: {', '.join(choices)}")
    return value


def _algorithm(in_file: Any, asked: str | None) -> str:
    if in_file is None:
        return asked or "clipped_ppo"
    named = _one_of("training_algorithm", in_file, ALGORITHMS)
    if asked is not None and named != asked:
        raise UserError(
            f"{DOCUMENT}: training_algorithm is {named!r}, the run's algorithm is {asked!r}",
            f"set ALGORITHM={named}, or change training_algorithm in the metadata",
        )
    return named


def _version(value: Any) -> str:
    if number(value) not in (1, 2, 3, 4, 5):
        raise UserError(f"{DOCUMENT}: version is {shown(value)}", 'version is "1" to "5"; today\'s is "5"')
    return str(value)


def _action_space(value: Any, kind: Any, algorithm: str) -> tuple[DiscreteAction, ...] | ContinuousActions:
    if not isinstance(value, list | dict):
        raise UserError(
            f"{DOCUMENT}: action_space is {shown(value)}",
            "give a list of {steering_angle, speed}, or {speed: {low, high}, steering_angle: {low, high}}",
        )
    found = "continuous" if isinstance(value, dict) else "discrete"
    if kind is not None and _one_of("action_space_type", kind, ("discrete", "continuous")) != found:
        raise UserError(
            f"{DOCUMENT}: action_space_type is {kind!r}, but action_space is a {found} one",
            "a list of actions is discrete, bounds {low, high} are continuous",
        )
    if not ALGORITHMS[algorithm].exploration[found == "continuous"]:
        other, form = (
            ("continuous", "as {speed: {low, high}, steering_angle: {low, high}}")
            if found == "discrete"
            else ("discrete", "as a list of {steering_angle, speed}")
        )
        raise UserError(
            f"{DOCUMENT}: {algorithm} with a {found} action_space: it takes {other} actions only",
            f"give action_space {form}, or use one of: {taking(found == 'continuous')}",
        )
    return _continuous(value) if isinstance(value, dict) else _discrete(value)


def _discrete(actions: list[Any]) -> tuple[DiscreteAction, ...]:
    low, high = DISCRETE_ACTIONS
    if not low <= len(actions) <= high:
        raise UserError(
            f"{DOCUMENT}: action_space has {len(actions)} action{'' if len(actions) == 1 else 's'}",
            f"give {low} to {high} actions",
        )
    found = []
    for place, action in enumerate(actions):
        where = f"action_space[{place}]"
        if not isinstance(action, dict):
            raise UserError(f"{DOCUMENT}: {where} is {shown(action)}", "give {steering_angle, speed} for each action")
        _only_keys(where, action, ("steering_angle", "speed"), optional=("index",))
        if "index" in action and number(action["index"]) != place:
            raise UserError(
                f"{DOCUMENT}: {where}.index is {shown(action['index'])}",
                f"index counts the actions in order: here it is {place}; it may be left out",
            )
        steering = _within(f"{where}.steering_angle", action["steering_angle"], STEERING_DEG, "degrees")
        found.append(DiscreteAction(steering, _within(f"{where}.speed", action["speed"], SPEED, "m/s")))
    return tuple(found)


def _continuous(bounds: dict[str, Any]) -> ContinuousActions:
    _only_keys("action_space", bounds, ("steering_angle", "speed"))
    found = {}
    for key, limits, unit in (("steering_angle", STEERING_DEG, "degrees"), ("speed", SPEED, "m/s")):
        pair = bounds[key]
        where = f"action_space.{key}"
        if not isinstance(pair, dict):
            raise UserError(f"{DOCUMENT}: {where} is {shown(pair)}", "give it as {low, high}")
        _only_keys(where, pair, ("low", "high"))
        low = _within(f"{where}.low", pair["low"], limits, unit)
        high = _within(f"{where}.high", pair["high"], limits, unit)
        if low >= high:
            raise UserError(f"{DOCUMENT}: {where} has low {low:g} and high {high:g}", "low must be below high")
        found[key] = (low, high)
    return ContinuousActions(**found)


def _only_keys(where: str, value: dict[str, Any], needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> None:
    for key in needed:
        if key not in value:
            raise UserError(f"{DOCUMENT}: {where} has no {key}", f"{where} has the keys {', '.join(needed)}")
    for key in value:
        if key not in needed + optional:
            raise UserError(f"{DOCUMENT}: {where} has the unknown key {key!r}", f"its keys are {', '.join(needed)}")


def _within(where: str, value: Any, limits: tuple[float, float], unit: str) -> float:
    found = number(value)
    if found is None or not limits[0] <= found <= limits[1]:
        raise UserError(
            f"{DOCUMENT}: {where} is {shown(value)}", f"give a number from {limits[0]:g} to {limits[1]:g} ({unit})"
        )
    return found
