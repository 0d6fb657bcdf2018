"""The simulator against its peers: steps per CPU second of one pinned thread, 1 and 64 environments, in turns.

python -m tests.bench.bench_simulator. The peers (peers.py) run in an environment of their own, `make bench` makes it.
One step is one car's policy step with its frame of 160x120 grey pixels, all reward parameters, and resets where
episodes end. Actions are random and drawn beforehand, here as for the peers.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from kuberacer.sim.episode import SimConfig
from kuberacer.sim.params import params_dict
from kuberacer.sim.race_sim import RaceSim
from kuberacer.sim.race_vector_env import follow_center_line
from kuberacer.sim.scene import Bots, Boxes, Scene
from kuberacer.sim.track import load_track

PEERS_PYTHON = Path(".envs/peers/bin/python")
PEERS = ("carracing", "envpool", "highway")
ROUNDS, SECONDS = 5, 0.5  # of CPU, a measurement
BATCHES = (64, 1)
TRACK = "hairpin"
PLAIN = SimConfig()
# What else may be switched on, by the name of its figure.
SCENES = {
    "randomized": SimConfig(randomization=True),
    "boxes": SimConfig(scene=Scene(boxes=Boxes(count=6))),
    "bots": SimConfig(scene=Scene(bots=Bots(count=3, lane_change=True))),
}


def plain_reward(params: dict) -> float:
    """A racer's usual reward, as plain Python: near the centre line, on the track, not too slow."""
    if not params["all_wheels_on_track"]:
        return 1e-3
    share = params["distance_from_center"] / params["track_width"]
    reward = 1.0 if share <= 0.1 else 0.5 if share <= 0.25 else 0.1
    return float(reward * (0.5 + params["speed"] / 4.0) + params["progress"] / max(params["steps"], 1) * 0.1)


REWARD_KEYS = ("all_wheels_on_track", "distance_from_center", "track_width", "speed", "progress", "steps")


class Ours:
    """The simulator with a reward: None, "numpy", "python" (given what it reads) or "python_all" (given all keys)."""

    def __init__(self, cars: int, reward: str | None, config: SimConfig = PLAIN):
        self.sim, self.reward = RaceSim(load_track(TRACK), cars, config=config), reward
        self.sim.reset()
        self.actions = np.random.default_rng(0).uniform([[-30.0], [0.5]], [[30.0], [2.0]], (256, 2, cars))

    def play(self, seconds: float) -> float:
        """Steps per CPU second over `seconds` of CPU."""
        sim, steps = self.sim, 0
        clock = time.process_time()
        while time.process_time() - clock < seconds:
            for steering, speed in self.actions:
                sim.advance(steering, speed)
                self.rewards()
                sim.reset(sim.terminated | sim.truncated)
                sim.render()
            steps += len(self.actions) * sim.cars
        return steps / (time.process_time() - clock)

    def rewards(self) -> None:
        values = self.sim.values
        if self.reward == "numpy":
            follow_center_line(values)
        elif self.reward:
            keys = REWARD_KEYS if self.reward == "python" else None
            for car in range(values.cars):
                plain_reward(params_dict(values, car, keys))


class Peer:
    """A peer's process, which answers a line "play SECONDS" with its steps per CPU second."""

    def __init__(self, name: str, environments: int):
        # Relative to the working directory on purpose: a virtual environment's python must be called by its own path.
        command = [str(PEERS_PYTHON), str(Path(__file__).with_name("peers.py")), name, str(environments)]
        quiet = dict(os.environ, OMP_NUM_THREADS="1", SDL_VIDEODRIVER="dummy", PYGAME_HIDE_SUPPORT_PROMPT="1")
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=quiet)

    def play(self, seconds: float) -> float:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(f"{seconds}\n")
        self.process.stdin.flush()
        return float(json.loads(self.process.stdout.readline()))

    def close(self) -> None:
        self.process.communicate()


def figures() -> dict[str, float]:
    """Flat: name -> number. Medians over rounds in which all take turns; ratios are of one round's neighbours."""
    if not PEERS_PYTHON.exists():
        print("the peers' environment is missing, `make bench` makes it", file=sys.stderr)
    with one_processor():
        return {key: value for environments in BATCHES for key, value in measure(environments).items()}


@contextmanager
def one_processor() -> Iterator[None]:
    """Pin this process, and those it starts, to one processor where the system can."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def measure(environments: int) -> dict[str, float]:
    """The figures at one number of environments."""
    tail = "" if environments == BATCHES[0] else f"_n{environments}"
    peers = {name: Peer(name, environments) for name in PEERS} if PEERS_PYTHON.exists() else {}
    ours = {kind: Ours(environments, kind) for kind in (None, "numpy", "python", "python_all")}
    scenes = {name: Ours(environments, None, config) for name, config in SCENES.items()}
    rates: dict[str, list[float]] = {}
    ratios: dict[str, list[float]] = {}
    try:
        for _ in range(ROUNDS):
            own = {kind: player.play(SECONDS) for kind, player in ours.items()}
            for kind, rate in own.items():
                rates.setdefault(f"sim_steps_per_cpu_s{_KINDS[kind]}{tail}", []).append(rate)
            for name, player in scenes.items():
                rates.setdefault(f"sim_steps_per_cpu_s_{name}{tail}", []).append(rate := player.play(SECONDS))
                ratios.setdefault(f"sim_{name}_share{tail}", []).append(rate / own[None])
            for name, peer in peers.items():
                rate = peer.play(SECONDS)
                rates.setdefault(f"{name}_steps_per_cpu_s{tail}", []).append(rate)
                ratios.setdefault(f"sim_vs_{name}{tail}", []).append(own[None] / rate)
    finally:
        for peer in peers.values():
            peer.close()
    return {key: statistics.median(values) for key, values in (rates | ratios).items()}


_KINDS = {None: "", "numpy": "_with_numpy_reward", "python": "_with_reward", "python_all": "_with_reward_all_params"}


def main() -> None:
    for key, value in figures().items():
        print(f"{key:<48} {value:>12,.2f}")


if __name__ == "__main__":
    main()
