"""One peer of the simulator as a process: peers.py NAME ENVIRONMENTS; every line of stdin, a number of CPU seconds, is
answered with a JSON number, the steps per CPU second played. Runs in the environment of peers.lock, one thread."""

import json
import sys
import time
from collections.abc import Callable

import gymnasium
import numpy as np

BATCH = 64  # steps between two looks at the clock, at least


def gymnasium_steps(make: Callable[[], gymnasium.Env], environments: int) -> Callable[[], None]:
    """One step of all environments, Gymnasium's own vector environment around them when there is more than one."""
    vector = gymnasium.vector.SyncVectorEnv([make] * environments)
    vector.reset(seed=0)
    vector.action_space.seed(0)
    actions = [vector.action_space.sample() for _ in range(256)]
    count = iter(range(1 << 62))
    return lambda: vector.step(actions[next(count) % 256])


def carracing(environments: int) -> Callable[[], None]:
    return gymnasium_steps(lambda: gymnasium.make("CarRacing-v3"), environments)


def highway(environments: int) -> Callable[[], None]:
    import highway_env  # noqa: F401 - registers racetrack-v0

    config = {
        "observation": {
            "type": "GrayscaleObservation", "observation_shape": (160, 120), "stack_size": 1,
            "weights": [0.2989, 0.5870, 0.1140], "scaling": 1.75,
        },
    }  # fmt: skip
    return gymnasium_steps(lambda: gymnasium.make("racetrack-v0", config=config), environments)


def envpool(environments: int) -> Callable[[], None]:
    import envpool

    pool = envpool.make("CarRacing-v3", env_type="gymnasium", num_envs=environments, num_threads=1)
    pool.reset()
    actions = np.random.default_rng(0).uniform([-1, 0, 0], [1, 1, 1], (256, environments, 3)).astype(np.float32)
    count = iter(range(1 << 62))
    return lambda: pool.step(actions[next(count) % 256])


def main() -> None:
    name, environments = sys.argv[1], int(sys.argv[2])
    step = {"carracing": carracing, "highway": highway, "envpool": envpool}[name](environments)
    step()
    for line in sys.stdin:
        seconds, steps, clock = float(line), 0, time.process_time()
        while time.process_time() - clock < seconds:
            step()
            steps += environments
        print(json.dumps(steps / (time.process_time() - clock)), flush=True)


if __name__ == "__main__":
    main()
