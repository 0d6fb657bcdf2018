"""From seeds and settings to the trials of a sweep: every setting with every seed, each with a name of its own."""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.errors import UserError, run_main
from kuberacer.formats.write import write_atomically
from kuberacer.stages.arguments import stage_parser

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
MOST_TRIALS = 200


def main() -> None:
    options = arguments()
    trials = plan(options.run, options.seeds, options.settings, options.algorithm)
    write_atomically(options.trials, json.dumps(trials))
    print(f"progress: {len(trials)} trials", flush=True)


def plan(run: str, seeds_text: str, settings_text: str, algorithm: str) -> list[dict[str, Any]]:
    """[{name, setting, seed, hyperparameters (JSON text), run}]. Raises UserError naming the entry that is wrong."""
    seeds, settings = _seeds(seeds_text), _settings(settings_text)
    if len(seeds) * len(settings) > MOST_TRIALS:
        raise UserError(
            f"{len(seeds)} seeds with {len(settings)} settings are {len(seeds) * len(settings)} trials",
            f"ask for {MOST_TRIALS} at most",
        )
    trials = []
    for name, values in settings.items():
        hyperparameters = json.dumps(values)
        try:
            Hyperparameters.parse(hyperparameters, algorithm)
        except UserError as error:
            raise UserError(f"setting {name}: {error.cause}", error.remedy) from None
        for seed in seeds:
            trial = f"{name}-{seed}"
            trials.append(
                {
                    "name": trial,
                    "setting": name,
                    "seed": seed,
                    "hyperparameters": hyperparameters,
                    "run": f"{run}/trials/{trial}",
                }
            )
    return trials


def _seeds(text: str) -> list[int]:
    seeds = _json(text, "seeds", "a list of whole numbers, such as [0, 1, 2]")
    if not isinstance(seeds, list) or not seeds or not all(type(seed) is int and seed >= 0 for seed in seeds):
        raise UserError(f"seeds is {text}", "give a list of whole numbers from 0, such as [0, 1, 2]")
    if len(set(seeds)) < len(seeds):
        raise UserError(f"seeds names one twice: {text}", "give each seed once")
    return seeds


def _settings(text: str) -> dict[str, dict[str, Any]]:
    example = 'an object of named hyperparameters, such as {"default": {}, "slow": {"lr": 0.0001}}'
    settings = _json(text, "settings", example)
    if not isinstance(settings, dict) or not settings:
        raise UserError(f"settings is {text:.80}", f"give {example}")
    for name, values in settings.items():
        if not NAME.fullmatch(name):
            raise UserError(f"settings: the name {name!r} is not allowed", "use letters, digits, - and _, 40 at most")
        if not isinstance(values, dict):
            raise UserError(f"settings: {name} is {json.dumps(values):.80}", f"give {example}")
    return settings


def _json(text: str, what: str, example: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise UserError(f"{what} is not JSON: {error}", f"give {example}") from None


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "plan_sweep",
        __doc__ or "",
        "python -m kuberacer.stages.plan_sweep --seeds '[0, 1, 2]' "
        '--settings \'{"default": {}, "slow": {"lr": 0.0001}}\' --run my-sweep --trials trials.json',
    )
    parser.add_argument("--seeds", required=True, help="JSON list of whole numbers")
    parser.add_argument("--settings", required=True, help="JSON object: name -> hyperparameters.json's object")
    parser.add_argument("--algorithm", default="clipped_ppo", help="clipped_ppo, sac or dqn (%(default)s)")
    parser.add_argument("--run", required=True, help="name of the sweep: its folder in the store")
    parser.add_argument("--trials", type=Path, required=True, metavar="OUTPUT", help="JSON list")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
