"""How well a training drives after how long: fast laps, randomised worlds, boxes, other cars.

python -m tests.bench.driving [--cases fast boxes] [--tracks hairpin] [--seeds 0 1 2] [--minutes 15]
Each training runs in this process as the train stage plays and learns, without the store; one row an iteration goes to
out/driving/<case>-<track>-<seed>.jsonl, the best policy beside it. The wall clock counts what else the machine does,
cpu_s does not.
`python -m tests.bench.driving_curves` draws them.
"""

import argparse
import json
import os
import resource
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kuberacer.coach.agent import Agent
from kuberacer.coach.build import build_agent
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.formats.race_config import RaceConfig
from kuberacer.rollout.collector import Collector
from kuberacer.rollout.handout import Setup
from kuberacer.rollout.laps import drive_laps
from kuberacer.rollout.race_rules import evaluation_rules, lap_rules, training_rules
from kuberacer.rollout.simulator import simulator
from kuberacer.rollout.trainer import Budget, Iteration, Progress, Trainer
from kuberacer.sim.fastest_lap import fastest_lap
from kuberacer.sim.track import load_track

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "out" / "driving"
CARS, TRIALS = 32, 16
UNSEEN = 10_000  # added to the seed of the training for the trials


@dataclass(frozen=True)
class Case:
    """What is trained: files of the repository ('' for the defaults), on which tracks, for how many minutes."""

    reward: str
    minutes: float
    tracks: tuple[str, ...]
    metadata: str = ""
    race: str = ""


CASES = {
    "fast": Case("rewards/fast_lap.py", 15, ("hairpin", "kidney"), metadata="rewards/fast_actions.json"),
    "randomized": Case("rewards/follow_center_line.py", 15, ("kidney",), race="races/domain_randomization.yaml"),
    "boxes": Case("rewards/avoid_objects.py", 30, ("harbor",), race="races/object_avoidance.yaml"),
    "random_boxes": Case("rewards/avoid_objects.py", 30, ("chicane",), race="races/object_avoidance_random.yaml"),
    "bots": Case("rewards/head_to_bot.py", 30, ("pebble",), race="races/head_to_bot.yaml"),
}


def text_of(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8") if path else ""


def setup_of(case: Case, track: str, seed: int, stack: int) -> tuple[Setup, RaceConfig]:
    race = RaceConfig.parse(text_of(case.race), "training")
    setup = Setup(
        track_name=track,
        route=load_track(track).route().tolist(),
        metadata=text_of(case.metadata),
        algorithm="clipped_ppo",
        reward=text_of(case.reward),
        environment={},
        cars=CARS,
        stack=stack,
        seed=seed,
        rules=training_rules(race),
        lap_rules=lap_rules(race),
        lap_starts=race.min_eval_trials,
    )
    return setup, race


def train(case: Case, track: str, seed: int, minutes: float, path: Path, hyperparameters: str = "") -> list[dict]:
    """One training; its rows, which are also in the file `path`."""
    metadata = ModelMetadata.parse(text_of(case.metadata), "clipped_ppo")
    agent = build_agent(metadata, Hyperparameters.parse(hyperparameters, "clipped_ppo"), cars=CARS, seed=seed)
    setup, race = setup_of(case, track, seed, agent.stack_size)
    yardstick = fastest_lap(setup.track()).seconds
    rows: list[dict] = []
    path.parent.mkdir(parents=True, exist_ok=True)

    def keep(turn: Iteration, progress: Progress) -> None:
        # A better policy is tried in worlds that it has not seen.
        better = turn.lap == progress.best
        if better:
            agent.export_frozen(path.with_suffix(".pb"))
        rows.append(row_of(turn, progress, yardstick) | (unseen(agent, setup, race) if better else {}))
        with path.open("a") as file:
            file.write(json.dumps(rows[-1]) + "\n")

    path.unlink(missing_ok=True)
    with setup.reward_process(CARS) as reward:
        sim = simulator(setup.track(), CARS, metadata, setup.rules, seed)
        trainer = Trainer(
            agent=agent,
            collector=Collector(sim, reward, agent, metadata, agent.stack_size),
            budget=Budget(minutes),
            freeze=lambda: path,  # the agent itself drives the laps: no graph is frozen
            drive_laps=lambda _: setup.drive_laps(agent.best_actions, agent.stack_size),
            keep=keep,
            say=lambda line: print(f"{path.stem}: {line}", flush=True),
        )
        trainer.run()
    agent.close()
    return rows


def row_of(turn: Iteration, progress: Progress, yardstick: float) -> dict[str, Any]:
    """yardstick: seconds of the time-optimal lap."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    assert turn.lap is not None
    assert progress.best is not None
    best = progress.best.seconds if progress.best.completed else None
    return {
        "iteration": turn.iteration,
        "steps": turn.steps,
        "wall_s": round(turn.seconds, 1),
        "cpu_s": round(used.ru_utime + used.ru_stime, 1),
        "load": round(os.getloadavg()[0], 1),
        "completion": turn.mean_progress,
        "laps": turn.lap.laps,
        "lap_s": turn.lap.seconds if turn.lap.completed else None,
        "best_laps": progress.best.laps,
        "best_lap_s": best,
        "best_lap_ratio": best and best / yardstick,
        "entropy": turn.learning.get("entropy"),
    }


def unseen(agent: Agent, setup: Setup, race: RaceConfig) -> dict[str, Any]:
    """Trials from the line without resets, each in a world drawn from another seed: a collision ends a trial."""
    rules = evaluation_rules(race)
    lap = drive_laps(
        agent.best_actions, setup.track(), setup.model(), agent.stack_size, UNSEEN + setup.seed, rules, TRIALS
    )
    return {"unseen_laps": lap.laps, "unseen_of": TRIALS, "unseen_lap_s": lap.seconds if lap.completed else None}


def summary(case: str, track: str, seed: int, rows: list[dict]) -> dict[str, float]:
    """Flat figures: driving_<case>_<track>_<seed>_…"""
    best = next(row for row in reversed(rows) if "unseen_laps" in row)
    name = f"driving_{case}_{track}_{seed}"
    found = {f"{name}_unseen_share": best["unseen_laps"] / best["unseen_of"], f"{name}_steps": rows[-1]["steps"]}
    found |= {f"{name}_cpu_s": rows[-1]["cpu_s"], f"{name}_wall_s": rows[-1]["wall_s"]}
    if best["best_lap_s"]:
        found[f"{name}_lap_s"] = best["best_lap_s"]
        found[f"{name}_lap_ratio"] = best["best_lap_ratio"]
    return found


def figures(
    cases: list[str] | None = None,
    tracks: list[str] | None = None,
    seeds: tuple[int, ...] = (0,),
    minutes: float = 0.0,
    tell: Callable[[dict[str, float]], None] = lambda _: None,
) -> dict[str, float]:
    """Flat: name -> number, over all trainings asked for; tell() gets each one's as it ends."""
    found: dict[str, float] = {}
    for name in cases or list(CASES):
        case = CASES[name]
        for seed in seeds:
            for track in tracks or case.tracks:
                path = FOLDER / f"{name}-{track}-{seed}.jsonl"
                rows = train(case, track, seed, minutes or case.minutes, path)
                tell(figure := summary(name, track, seed, rows))
                found |= figure
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cases", nargs="+", choices=CASES, help="(default: all)")
    parser.add_argument("--tracks", nargs="+", help="names or route files (default: the case's own)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--minutes", type=float, default=0.0, help="of each training (default: the case's own)")
    options = parser.parse_args()

    def tell(found: dict[str, float]) -> None:
        for key, value in found.items():
            print(f"{key:<48} {value:>12,.2f}", flush=True)

    figures(options.cases, options.tracks, tuple(options.seeds), options.minutes, tell)


if __name__ == "__main__":
    main()
