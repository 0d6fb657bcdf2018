"""Replay a reward function over the sim traces of a finished run: what it would have given for the same driving.

Into the output folder go report.html, steps.csv, episodes.csv and iterations.csv. The function runs in a limited
process, as in a training.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import UserError, run_main
from kuberacer.formats.race_config import RaceConfig
from kuberacer.formats.reward_document import is_document
from kuberacer.formats.trace_columns import iterations_of, read_iterations
from kuberacer.formats.write import write_atomically
from kuberacer.report.replay import Replay, correlations, replay, write_csvs
from kuberacer.report.replay_page import replay_page, shown
from kuberacer.report.replay_params import TracedSteps
from kuberacer.reward.source import DEFAULT_IMPORTS
from kuberacer.rollout.race_rules import training_rules
from kuberacer.sim.track import Track
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.reward_input import read_reward
from kuberacer.stages.validate_reward import extra_modules

RECORDED_DIGITS = 5e-5  # the trace's rounding of rewards
AGREES = 1e-2


def main() -> None:
    options = arguments()
    run = options.run_folder
    text, name = read_reward(str(options.reward or run / "reward_function.py"))
    if is_document(text):
        raise UserError(
            f"{name} is no Python reward", "name one: REWARD=my_reward.py; other languages are not replayed"
        )
    given = parameters_of(run)
    requirements = options.requirements or given.get("requirements", "")
    modules, folder = extra_modules(requirements)
    allowed = f"{given.get('allowed_imports', '')},{options.allowed_imports}".split(",")
    allowed_imports = DEFAULT_IMPORTS | {module.strip().partition(".")[0] for module in allowed if module.strip()}
    track = Track.from_route(np.load(run / "track.npy", allow_pickle=False), str(given["track"]))
    steps = traced_steps(run, track, given, options.iterations)
    replayed = replay(
        steps, text, track, name=name, allowed_imports=allowed_imports | modules,
        extra_paths=[folder] if folder else [], say=lambda line: print(line, flush=True),
    )  # fmt: skip
    title = f"{name} replayed over {run.name}"
    subtitle = f"{track.name} · iterations {described(replayed)} · {replayed.path}"
    write_csvs(replayed, options.output)
    write_atomically(options.output / "report.html", replay_page(replayed, track, title, subtitle, text))
    print("\n".join([*summary(replayed), f"report: {options.output / 'report.html'}"]), flush=True)


def parameters_of(run: Path) -> dict[str, Any]:
    """What the run was given: track's name, race, requirements, allowed_imports."""
    record = json.loads((run / "run.json").read_text(encoding="utf-8"))
    return {**record["parameters"], "track": record["track"]}


def traced_steps(run: Path, track: Track, given: dict[str, Any], iterations: str) -> TracedSteps:
    files = iterations_of(run / "training-simtrace")
    wanted = {number: path for number, path in files.items() if in_range(number, iterations)}
    if not wanted:
        raise UserError(
            f"there is no iteration {iterations} in {run / 'training-simtrace'}",
            f"give a range within {min(files)}-{max(files)}" if files else "give a run that was trained to its end",
        )
    table = read_iterations(wanted.items())
    table = table[table["episode_status"] != "pause"]  # a car that stands for its penalty asks for no reward
    metadata = ModelMetadata.parse((run / "model" / "model_metadata.json").read_text(encoding="utf-8"))
    return TracedSteps(table, track, training_rules(RaceConfig.parse(given.get("race", ""), "training")), metadata)


def in_range(number: int, iterations: str) -> bool:
    """iterations: one number, or the first and the last as 5-20, or "" for all."""
    if not iterations:
        return True
    found = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", iterations)
    if not found:
        raise UserError(f"{iterations!r} is not a range of iterations", "write it as 5-20, or one number")
    return int(found[1]) <= number <= int(found[2] or found[1])


def described(replayed: Replay) -> str:
    numbers = replayed.table["iteration"]
    return f"{numbers.min()} to {numbers.max()}"


def summary(replayed: Replay) -> list[str]:
    episodes = replayed.episodes
    lines = [
        f"{len(replayed.old):,} steps of {len(episodes):,} whole episodes, iterations {described(replayed)}",
        f"correlation with the recorded rewards: {shown(correlations(replayed.old, replayed.new)[0])}",
        f"rank correlation of the episodes' returns: {shown(correlations(episodes.old, episodes.new)[1])}",
    ]
    difference = np.abs(replayed.new - replayed.old)
    if np.quantile(difference, 0.99) < AGREES:
        lines.append(f"these are the recorded rewards: at most {difference.max():.2g} apart")
    if replayed.remembers:
        lines.append("the function may remember things between calls: here, a memory begins with each lane of episodes")
    return lines


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "replay_reward",
        __doc__ or "",
        "python -m kuberacer.stages.replay_reward --run-folder out/latest --reward my_reward.py --output out/replay",
    )
    parser.add_argument("--run-folder", type=Path, required=True, help="folder of a finished run")
    parser.add_argument("--reward", help="Python file (default: the run's own reward function)")
    parser.add_argument("--iterations", default="", help="a range as 5-20 (default: all)")
    parser.add_argument("--requirements", default="", help="pip requirement lines of what it imports")
    parser.add_argument("--allowed-imports", default="", help="more modules that it may import, separated by commas")
    parser.add_argument("--output", type=Path, required=True, metavar="OUTPUT", help="folder for page and CSV files")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
