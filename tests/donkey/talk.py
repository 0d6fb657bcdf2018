"""Drives a donkey simulator with given actions and writes what it saw, as JSON lines: by gym-donkeycar itself where
that is installed, else by our own environment.

python talk.py PROGRAM PORT OUTPUT: actions are read from the standard input, a steering angle a line."""

import hashlib
import json
import os
import sys

import numpy as np

THROTTLE = 0.3


def seen(frame: np.ndarray, info: dict) -> dict:
    place = info["pos"] if "pos" in info else [info[key] for key in "xyz"]
    picture = hashlib.sha256(np.ascontiguousarray(frame).tobytes()).hexdigest()
    return {"frame": picture, "place": list(place), **{key: info[key] for key in ("cte", "speed", "hit")}}


def main() -> None:
    program, port, output = sys.argv[1:]
    steering = [np.float32(line) for line in sys.stdin]
    os.environ |= {"DONKEY_SIM_PATH": program, "DONKEY_SIM_PORT": port}
    rows = []
    try:
        from gym_donkeycar.envs.donkey_env import GeneratedRoadsEnv

        env = GeneratedRoadsEnv()
        env.reset()
        for angle in steering:
            frame, _, _, info = env.step(np.array([angle, THROTTLE], np.float32))
            rows.append(seen(frame, info))
    except ImportError:
        from kuberacer.environments.donkey import DonkeyCar

        env = DonkeyCar(simulator=program, throttle=THROTTLE, settle_seconds=0.0)
        env.reset()
        for angle in steering:
            frame, _, _, _, info = env.step(np.array([angle], np.float32))
            rows.append(seen(frame, info))
    with open(output, "w", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in rows)
        file.flush()
        os.fsync(file.fileno())
    env.close()
    os._exit(0)  # gym-donkeycar's thread does not end by itself


if __name__ == "__main__":
    main()
