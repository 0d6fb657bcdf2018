"""What the train stage takes."""

import argparse
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.rollout.deepracer_sim import check_workers
from kuberacer.stages.arguments import stage_parser

DESCRIPTION = "Play, learn and keep a checkpoint, iteration by iteration; goes on from the run's last checkpoint."


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "train",
        DESCRIPTION,
        "python -m kuberacer.stages.train --reward-file rewards/follow_center_line.py --track-file track.npy "
        "--track-name kidney --environment environment.json --minutes 2 --run my-run --checkpoint checkpoint …",
    )
    parser.add_argument("--reward-file", type=Path, required=True, help="what validate_reward wrote")
    parser.add_argument("--track-file", type=Path, required=True, help="route, .npy")
    parser.add_argument("--track-name", required=True)
    parser.add_argument("--environment", type=Path, required=True, help="what build_sim_image wrote, JSON")
    parser.add_argument("--race", default="", help="DeepRacer's training YAML, text (default: a time trial)")
    parser.add_argument(
        "--training-videos", type=int, default=0, help="a video of every so many-th iteration, 0: none (%(default)s)"
    )
    parser.add_argument(
        "--algorithm", default="clipped_ppo", help="clipped_ppo, sac or dqn; a preset decides itself (%(default)s)"
    )
    parser.add_argument("--hyperparameters", default="", help="JSON text (default: KubeRacer's)")
    parser.add_argument("--metadata", default="", help="model metadata, JSON text (default: KubeRacer's)")
    parser.add_argument(
        "--pretrained",
        default="",
        help="model to begin with: a run in the store, or its s3:// address (default: none)",
    )
    parser.add_argument("--pretrained-checkpoint", default="best", help="of that model: best or last (%(default)s)")
    parser.add_argument("--preset", default="", help="Python source of an rl_coach preset")
    parser.add_argument("--minutes", type=float, default=2.0, help="of training, 0: no limit (%(default)s)")
    parser.add_argument("--steps", type=int, default=0, help="environment steps at most, 0: no limit")
    parser.add_argument("--cars", type=int, default=32, help="that drive at once (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rollout-workers", type=int, default=0, help="0: the cars drive in this process")
    parser.add_argument("--cars-per-worker", type=int, default=16, help="that each worker drives (%(default)s)")
    parser.add_argument("--rollout-image", default="", help="of the workers' pods, on a cluster")
    parser.add_argument("--queue", default="", help="Kueue's LocalQueue for the workers, on a cluster")
    parser.add_argument("--run", required=True, help="name of the run: its folder in the store")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="OUTPUT", help="folder: the best checkpoint")
    parser.add_argument("--training-metrics", type=Path, required=True, metavar="OUTPUT", help="TrainingMetrics.json")
    parser.add_argument("--history", type=Path, required=True, metavar="OUTPUT", help="JSON lines")
    parser.add_argument("--simtrace", type=Path, required=True, metavar="OUTPUT", help="folder of CSV files")
    parser.add_argument("--videos", type=Path, required=True, metavar="OUTPUT", help="folder of mp4 files")
    parser.add_argument("--summary", type=Path, required=True, metavar="OUTPUT", help="JSON")
    parser.add_argument("--executor-output", type=Path, metavar="OUTPUT", help="KFP's metrics, JSON")
    options = parser.parse_args()
    if options.rollout_workers < 0 or options.cars_per_worker < 1:
        raise UserError(
            f"{options.rollout_workers} rollout workers with {options.cars_per_worker} cars each",
            "give ROLLOUT_WORKERS of 0 or more and CARS_PER_WORKER of 1 or more",
        )
    check_workers(options.rollout_workers, options.cars_per_worker)
    return options
