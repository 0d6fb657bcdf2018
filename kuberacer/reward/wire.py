"""What a reward in another language is told and answers: one JSON line each way for all cars' step.

    > {"kuberacer_reward": 1, "cars": 2, "objects": 0, "seed": 0, "track": {"width": …, "length": …, "waypoints": …}}
    < {"kuberacer_reward": 1, "keys": ["speed", "distance_from_center"]}
    > {"params": [{"speed": 1.0, "distance_from_center": 0.02}, {"speed": 2.5, "distance_from_center": 0.31}]}
    < {"rewards": [0.94, 1.2]}

docs/reward-languages.md is the whole description. Nothing that comes back is trusted.
"""

import json
from typing import Any

import numpy as np

from kuberacer.formats.reward_document import KEY, VERSION
from kuberacer.reward.runner import LIMIT, RoadFacts, column, situation
from kuberacer.sim.params import ALL_KEYS, ParamArrays

# Unless it asks for others: the waypoints are the same in every step and come once, with the first line.
DEFAULT_KEYS = tuple(key for key in ALL_KEYS if key != "waypoints")
MOST_ANSWER = 4_096  # bytes, and MOST_A_CAR for each of the cars
MOST_A_CAR = 64


class WireFault(Exception):
    """An answer that is none: what is wrong with it, and what to do."""

    def __init__(self, what: str, remedy: str, car: int | None = None):
        super().__init__(what)
        self.what, self.remedy, self.car = what, remedy, car


def most_answer(cars: int) -> int:
    """Bytes that an answer may have."""
    return MOST_ANSWER + MOST_A_CAR * cars


def hello(road: RoadFacts, cars: int, objects: int, seed: int) -> bytes:
    """The first line, with its end."""
    track = {"width": float(road.width), "length": float(road.length), "waypoints": road.waypoints}
    return _line({KEY: VERSION, "cars": cars, "objects": objects, "seed": seed, "track": track})


def read_hello(line: bytes) -> tuple[str, ...]:
    """The keys that the program wants in each step. Raises WireFault."""
    answer = _object(line)
    if answer.get(KEY) != VERSION or isinstance(answer.get(KEY), bool):
        raise WireFault(
            f"it answers the first line with {KEY} {_shown(answer.get(KEY))}", f'answer {{"{KEY}": {VERSION}}}'
        )
    keys = answer.get("keys", DEFAULT_KEYS)
    if not isinstance(keys, list | tuple) or not all(isinstance(key, str) for key in keys):
        raise WireFault(f"its keys are {_shown(keys)}", 'answer "keys": ["speed", …], or leave it out')
    unknown = [key for key in keys if key not in ALL_KEYS]
    if unknown:
        raise WireFault(f"it asks for the key {_shown(unknown[0])}", f"the keys are {', '.join(sorted(ALL_KEYS))}")
    return tuple(dict.fromkeys(keys))


def step(values: ParamArrays, keys: tuple[str, ...]) -> bytes:
    """All cars' parameters, a line with its end."""
    if not keys:
        return _line({"params": [{}] * values.cars})
    rows = zip(*(column(values, key) for key in keys), strict=True)
    return _line({"params": [dict(zip(keys, row, strict=True)) for row in rows]})


def read_rewards(line: bytes, values: ParamArrays) -> np.ndarray:
    """Rewards (cars,) float64, finite and within ±LIMIT. Raises WireFault; its car: whose reward it is about."""
    answer = _object(line)
    if isinstance(answer.get("error"), str):
        raise WireFault(f"it says: {answer['error'][:300]}", "correct the program where it says so")
    rewards = answer.get("rewards")
    if not isinstance(rewards, list):
        raise WireFault(f"its answer has no rewards: {_shown(line)}", 'answer {"rewards": [1.0, …]}')
    if len(rewards) != values.cars:
        raise WireFault(f"it gives {len(rewards)} rewards for {values.cars} cars", "give one for each of `params`")
    for car, reward in enumerate(rewards):
        if type(reward) not in (int, float):
            raise WireFault(f"the reward is {_shown(reward)}, not a number", "give a number", car)
        if not -LIMIT <= reward <= LIMIT:  # Python's JSON takes NaN and Infinity, and integers of any size
            raise WireFault(f"the reward is {_shown(reward)}, not within ±{LIMIT:.0f}", "keep it small", car)
    return np.array(rewards, dtype=np.float64)


def explained(fault: WireFault, values: ParamArrays) -> str:
    """What is wrong, and for which car."""
    return fault.what if fault.car is None else f"{fault.what}, for {situation(values, fault.car)}"


def _line(content: dict) -> bytes:
    return json.dumps(content, separators=(",", ":")).encode() + b"\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        remedy = "write one JSON object a line and nothing else there; messages go to stderr"
        raise WireFault(f"its answer is not JSON: {_shown(line)}", remedy) from None
    if not isinstance(found, dict):
        raise WireFault(f"its answer is no JSON object: {_shown(line)}", 'answer {"rewards": [1.0, …]}')
    return found


def _shown(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else repr(value)
    return "".join(c if c.isprintable() else "?" for c in text.strip()[:80])
