"""Evaluate a frozen policy on its environment: N episodes without exploration, and a film of one."""

import argparse
import json
import statistics
from pathlib import Path

from kuberacer.coach.environment_preset import read_settings
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.environments.loader import FILENAME as OWN_SOURCE
from kuberacer.environments.loader import Environments, faults_told
from kuberacer.errors import run_main
from kuberacer.formats.write import write_atomically
from kuberacer.rollout.environment_play import evaluate, film
from kuberacer.rollout.environment_records import gif_name, write_gif
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.executor_output import write_metrics
from kuberacer.stages.freeze_environment import read_model

EVALUATION_SEED = 2_000_000  # apart from the training's and its evaluations'


def main() -> None:
    options = arguments()
    model = read_model(options.model)
    own = options.model / OWN_SOURCE
    source = own.read_text(encoding="utf-8") if own.exists() else ""
    environments = Environments(model.environment, source, model.parameters)
    episodes = episodes_of(options, environments)
    seed = EVALUATION_SEED + options.seed
    policy = FrozenPolicy(options.model / "model.pb", model, threads=1)
    try:
        with faults_told():
            played = evaluate(policy.best_actions, environments, model, episodes, seed)
            filmed = film(policy.best_actions, environments, model, seed)
    finally:
        policy.close()
    options.gifs.mkdir(parents=True, exist_ok=True)
    if filmed.pictures:
        write_gif(options.gifs / gif_name(0, filmed.score), filmed)
    figures = {
        "episodes": episodes,
        "mean_return": played.mean,
        "std_return": statistics.pstdev(played.returns),
        "min_return": min(played.returns),
        "max_return": max(played.returns),
        "mean_length": statistics.fmean(played.lengths),
        **played.figures,
    }
    document = {"environment": model.environment, **figures, "returns": played.returns, "lengths": played.lengths}
    write_atomically(options.evaluation_metrics, json.dumps(document, indent=1) + "\n")
    if options.executor_output:
        write_metrics(options.executor_output, "metrics", figures)
    print(
        f"progress: {episodes} episodes, return {played.mean:.1f} ± {figures['std_return']:.1f}, "
        f"{figures['mean_length']:.0f} steps an episode"
        + "".join(f", {name.replace('_', ' ')} {value:.2f}" for name, value in played.figures.items()),
        flush=True,
    )


def episodes_of(options: argparse.Namespace, environments: Environments) -> int:
    """As many as were asked for, or as evaluate_steps has room for whole episodes of the longest kind."""
    steps = read_settings(options.hyperparameters).get("evaluate_steps")
    if steps is None:
        return options.episodes
    env = environments.make()
    try:
        spec_steps = env.spec.max_episode_steps if env.spec else None
        longest = spec_steps or getattr(env, "_max_episode_steps", None)
    finally:
        env.close()
    return max(1, steps // longest) if longest else options.episodes


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "evaluate_environment",
        __doc__ or "",
        "python -m kuberacer.stages.evaluate_environment --model model/ --evaluation-metrics m.json --gifs gifs/",
    )
    parser.add_argument("--model", type=Path, required=True, help="folder with model.pb and environment.json")
    parser.add_argument("--episodes", type=int, default=20, help="to play (%(default)s)")
    parser.add_argument("--hyperparameters", default="", help="JSON; its evaluate_steps goes before --episodes, text")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluation-metrics", type=Path, required=True, metavar="OUTPUT", help="JSON")
    parser.add_argument("--gifs", type=Path, required=True, metavar="OUTPUT", help="folder")
    parser.add_argument("--executor-output", type=Path, metavar="OUTPUT", help="KFP's metrics, JSON")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
