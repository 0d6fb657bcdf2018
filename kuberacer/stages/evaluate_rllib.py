"""Evaluate a policy of freeze_rllib on its Unity player or environment: N episodes with its likeliest actions."""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

from kuberacer.environments.loader import FILENAME as OWN_SOURCE
from kuberacer.errors import UserError, run_main
from kuberacer.formats.write import write_atomically
from kuberacer.rllib.freeze import GRAPH, OnnxPolicy
from kuberacer.rllib.playing import UNITY, play
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.executor_output import write_metrics
from kuberacer.stages.freeze_environment import read_model
from kuberacer.stages.rllib_arguments import add_playing, playing_of

EVALUATION_SEED = 2_000_000  # apart from the training's


def main() -> None:
    options = arguments()
    model = read_model(options.model)
    own = options.model / OWN_SOURCE
    environment = "" if model.environment.startswith(UNITY) else model.environment
    policy = OnnxPolicy(options.model / GRAPH, model)
    with tempfile.TemporaryDirectory(prefix="kuberacer-evaluate-", ignore_cleanup_errors=True) as work:
        source = own.read_text(encoding="utf-8") if own.exists() else ""
        playing = playing_of(options, environment, source, Path(work))
        env = playing.open()
        try:
            if env.observation_space.shape != model.observation.shape:
                raise UserError(
                    f"{model.environment} has observations {env.observation_space.shape}, "
                    f"the policy takes {model.observation.shape}",
                    "evaluate on what it was trained on",
                )
            returns, lengths = play(env, policy.actions, options.episodes, EVALUATION_SEED + options.seed)
        finally:
            env.close()
    figures = {
        "episodes": len(returns),
        "mean_return": statistics.fmean(returns),
        "std_return": statistics.pstdev(returns),
        "min_return": min(returns),
        "max_return": max(returns),
        "mean_length": statistics.fmean(lengths),
    }
    document = {"environment": model.environment, **figures, "returns": returns, "lengths": lengths}
    write_atomically(options.evaluation_metrics, json.dumps(document, indent=1) + "\n")
    rows = ["episode,return,length", *(f"{i},{r},{n}" for i, (r, n) in enumerate(zip(returns, lengths, strict=True)))]
    write_atomically(options.gifs / "episodes.csv", "\n".join(rows) + "\n")
    if options.executor_output:
        write_metrics(options.executor_output, "metrics", figures)
    print(
        f"progress: {len(returns)} episodes, return {figures['mean_return']:.2f} "
        f"({figures['min_return']:.2f} to {figures['max_return']:.2f}), {figures['mean_length']:.0f} steps an episode",
        flush=True,
    )


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "evaluate_rllib",
        __doc__ or "",
        "python -m kuberacer.stages.evaluate_rllib --model model/ --player Basic.x86_64 --evaluation-metrics m.json "
        "--gifs gifs/",
    )
    add_playing(parser)
    parser.add_argument("--model", type=Path, required=True, help="folder with model.onnx and environment.json")
    parser.add_argument("--episodes", type=int, default=5, help="to play (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", default="", help="name of the run, below which the player's log is put")
    parser.add_argument("--evaluation-metrics", type=Path, required=True, metavar="OUTPUT", help="JSON")
    parser.add_argument("--gifs", type=Path, required=True, metavar="OUTPUT", help="folder: episodes.csv")
    parser.add_argument("--executor-output", type=Path, metavar="OUTPUT", help="KFP's metrics, JSON")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
