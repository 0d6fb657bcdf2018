"""What the reward function costs, each way it can run: microseconds a car and step.

python -m tests.bench.bench_reward
"""

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kuberacer.reward.open_reward import open_reward
from kuberacer.reward.process import RewardProcess
from kuberacer.reward.runner import RewardRunner, load_function
from kuberacer.reward.samples import sample_states
from kuberacer.reward.source import RewardSource
from kuberacer.sim.params import params_dict
from kuberacer.sim.track import load_track
from kuberacer.stages.reward_input import read_reward

REWARD = Path(__file__).parents[2] / "rewards" / "follow_center_line.py"
LANGUAGES = REWARD.parent / "languages"
CARS = (32, 64)
SECONDS = 0.5  # a measurement


def figures() -> dict[str, float]:
    """Flat, name -> microseconds a car and step; _32 and _64 cars at once."""
    found: dict[str, float] = {}
    track = load_track("hairpin")
    source = RewardSource.check(REWARD.read_text(encoding="utf-8"), REWARD.name)
    for cars in CARS:
        values = next(sample_states(track, cars))
        runner = RewardRunner(source, track, cars)
        for name, call in (("plain", whole_params(load_function(source))), ("keys_only", runner.plain)):
            found[f"reward_us_per_step_{name}_{cars}"] = measure(call, values) / cars
        runner.compile(sample_states(track, cars))
        found[f"reward_us_per_step_compiled_{cars}"] = measure(runner, values) / cars
        for name, compiled in (("process_keys_only", False), ("process", True)):
            with RewardProcess(source.text, track, cars, compile=compiled) as process:
                found[f"reward_us_per_step_{name}_{cars}"] = measure(process, values) / cars
        for name, document in other_languages().items():
            with open_reward(document, track, cars) as reward:
                found[f"reward_us_per_step_{name}_{cars}"] = measure(reward, values) / cars
    with example_server() as document:
        for cars in CARS:
            with open_reward(document, track, cars) as reward:
                values = next(sample_states(track, cars))
                found[f"reward_us_per_step_http_{cars}"] = measure(reward, values) / cars
    return {name: round(value, 3) for name, value in found.items()}


def other_languages() -> dict[str, str]:
    """The examples that can run here: name -> document."""
    programs = {"node": "node", "c": "cc"}
    return {
        name: read_reward(str(LANGUAGES / f"{name}.yaml"))[0] for name, needs in programs.items() if shutil.which(needs)
    }


@contextlib.contextmanager
def example_server() -> Iterator[str]:
    """The example server, of another process, with the same function and keys; a document that names it."""
    keys = ",".join(RewardSource.check(REWARD.read_text(encoding="utf-8"), REWARD.name).keys or ())
    command = [sys.executable, str(LANGUAGES / "http_server.py"), "--port", "0", "--reward", str(REWARD)]
    with subprocess.Popen([*command, "--keys", keys], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield f"kuberacer_reward: 1\nhttp: {process.stdout.readline().strip()}\n"
        process.kill()


def whole_params(function: Callable) -> Callable:
    """Every key built for every car, as DeepRacer's simulator does it."""
    return lambda values: [function(params_dict(values, car)) for car in range(values.cars)]


def measure(call: Callable, values: object) -> float:
    """Microseconds a call, the median over rounds of twenty."""
    call(values)
    rounds = []
    end = time.perf_counter() + SECONDS
    while time.perf_counter() < end:
        clock = time.perf_counter()
        for _ in range(20):
            call(values)
        rounds.append((time.perf_counter() - clock) / 20)
    return sorted(rounds)[len(rounds) // 2] * 1e6


if __name__ == "__main__":
    print(json.dumps(figures(), indent=1))
