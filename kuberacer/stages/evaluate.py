"""Evaluate: the frozen graph drives trials of one lap each, without exploration, with penalties and resets."""

import argparse
import json
from pathlib import Path

import numpy as np

from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.errors import run_main
from kuberacer.formats.evaluation_metrics import write_evaluation
from kuberacer.formats.simtrace import write_trace
from kuberacer.report.recording import Recording
from kuberacer.report.video import FRAMES_PER_SECOND, LapVideo
from kuberacer.reward.extra_modules import site_of
from kuberacer.reward.process import RewardProcess
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.evaluation import Evaluation
from kuberacer.rollout.trial import Rules, Trial, metrics
from kuberacer.sim.picture import CarPose
from kuberacer.sim.track import Track
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.executor_output import write_metrics

AHEAD_OF_MIDDLE = 0.058  # m: x, y lie 0.14 m ahead of the rear axle, the body's middle 0.082 m


def main() -> None:
    options = arguments()
    if options.videos:
        options.videos.mkdir(parents=True, exist_ok=True)
    track = Track.from_route(np.load(options.track_file, allow_pickle=False), options.track_name)
    metadata = ModelMetadata.parse((options.model / "model_metadata.json").read_text(encoding="utf-8"))
    rules = Rules(options.trials, options.off_track_penalty, options.collision_penalty, options.resets)
    policy = FrozenPolicy(options.model / "model.pb", metadata)
    entrant = Entrant(policy.best_actions, metadata, policy.stack_size)
    evaluation = Evaluation([entrant], track, rules, seed=options.seed, film=True)
    source = options.reward_file.read_text(encoding="utf-8")
    site = site_of(json.loads(options.environment.read_text(encoding="utf-8")))
    extra = [site] if site else []
    # Compiling takes longer than the few calls that are made here.
    with RewardProcess(source, track, rules.trials, extra_paths=extra, compile=False, seed=options.seed) as reward:
        (trials,) = evaluation.run(reward)
    film(evaluation.recordings()[0], rules.trials, options.video)
    write_evaluation(options.evaluation_metrics, metrics(trials))
    rows = [row for trial in trials for row in trial.rows]
    write_trace(options.simtrace / "0-iteration.csv", rows)
    laps = [trial.seconds for trial in trials if trial.completed]
    if options.executor_output:
        figures = {"laps_completed": len(laps), "trials": len(trials), **({"best_lap_s": min(laps)} if laps else {})}
        write_metrics(options.executor_output, "metrics", figures)
    for trial in trials:
        print(describe(trial), flush=True)
    print(f"progress: {len(laps)} of {len(trials)} laps" + (f", best {min(laps):.2f} s" if laps else ""), flush=True)


def film(recording: Recording, trials: int, path: Path) -> None:
    """The first trial: what its camera saw, and where it was."""
    cars, last = recording.cars[:, 0], len(recording) - 1
    driven = np.stack([cars["x"], cars["y"]], axis=1)
    with LapVideo(path, recording.track) as video:
        for step, car in enumerate(cars):
            text = (
                f"trial 1 of {trials}   {car['lap_time']:6.2f} s   {car['progress']:5.1f} %   "
                f"{car['speed']:.1f} m/s   {car['steering']:+.0f}°   resets {car['resets']}"
            )
            pose = body_pose(car["x"], car["y"], car["heading"])
            picture = video.compose(recording.camera[step, 0, 0], pose, driven[: step + 1], text)
            # The end stays for a second, to be read.
            for _ in range(FRAMES_PER_SECOND if step == last else 1):
                video.encode(picture)


def body_pose(x: float, y: float, heading: float) -> CarPose:
    """The body's middle: x, y are of a point in front of it."""
    angle = np.radians(heading)
    return CarPose(x - AHEAD_OF_MIDDLE * np.cos(angle), y - AHEAD_OF_MIDDLE * np.sin(angle), heading)


def describe(trial: Trial) -> str:
    outcome = "lap completed" if trial.completed else f"{trial.progress:.0f} % of the lap, {trial.status}"
    return f"trial {trial.number}: {outcome} in {trial.seconds:.3f} s, {trial.resets} resets"


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "evaluate",
        __doc__ or "",
        "python -m kuberacer.stages.evaluate --model out/latest/model_frozen --track-file track.npy "
        "--track-name kidney --reward-file reward.py --environment environment.json --evaluation-metrics m.json "
        "--simtrace t --video v.mp4",
    )
    parser.add_argument("--model", type=Path, required=True, help="folder with model.pb and model_metadata.json")
    parser.add_argument("--reward-file", type=Path, required=True, help="for the trace's reward column")
    parser.add_argument("--environment", type=Path, required=True, help="what build_sim_image wrote, JSON")
    parser.add_argument("--track-file", type=Path, required=True, help="route, .npy")
    parser.add_argument("--track-name", required=True)
    parser.add_argument("--race", default="", help="DeepRacer's training YAML, text (default: a time trial)")
    parser.add_argument("--evaluation", default="", help="YAML keys that replace those of --race, text")
    parser.add_argument("--run", default="", help="whose checkpoints EVAL_CHECKPOINT names")
    parser.add_argument("--trials", type=int, default=3, help="laps to try (%(default)s)")
    parser.add_argument("--off-track-penalty", type=float, default=5.0, help="seconds (%(default)s)")
    parser.add_argument("--collision-penalty", type=float, default=5.0, help="seconds (%(default)s)")
    parser.add_argument("--resets", type=int, default=10, help="of a trial at most (%(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--evaluation-metrics", type=Path, required=True, metavar="OUTPUT")
    parser.add_argument("--simtrace", type=Path, required=True, metavar="OUTPUT", help="folder")
    parser.add_argument("--video", type=Path, required=True, metavar="OUTPUT", help=".mp4")
    parser.add_argument("--videos", type=Path, metavar="OUTPUT", help="folder: three views of every trial")
    parser.add_argument("--executor-output", type=Path, metavar="OUTPUT", help="KFP's metrics, JSON")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
