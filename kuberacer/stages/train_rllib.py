"""Train on a Unity player or any environment with RLlib's PPO; a checkpoint an iteration, and on from the last one."""

import argparse
import json
import shutil
import signal
import tempfile
from pathlib import Path
from typing import NoReturn

from kuberacer.coach.environment_model import FILENAME, EnvironmentModel
from kuberacer.environments import loader
from kuberacer.errors import UserError, run_main
from kuberacer.formats.write import write_atomically
from kuberacer.report.reward_plot import reward_plot
from kuberacer.rllib.algorithm import Algorithm, ray_started
from kuberacer.rllib.playing import Playing
from kuberacer.rllib.ray_cluster import ray_nodes
from kuberacer.rllib.records import CSV, EPISODES, HISTORY, Progress, Records
from kuberacer.rllib.settings import FILENAME as SETTINGS_FILE
from kuberacer.rllib.settings import read_settings
from kuberacer.rllib.training import Budget, Training
from kuberacer.settings import StoreSettings
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.executor_output import write_metrics
from kuberacer.stages.rllib_arguments import add_playing, playing_of
from kuberacer.store.checkpoints import CheckpointStore
from kuberacer.store.client import ObjectStore


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    options = arguments()
    settings = read_settings(options.hyperparameters)
    if options.minutes <= 0 and options.steps <= 0:
        raise UserError("the training has no end", "give STEPS or MINUTES")
    with tempfile.TemporaryDirectory(prefix="kuberacer-train-", ignore_cleanup_errors=True) as work:
        playing = playing_of(options, options.environment, options.source, Path(work))
        model = playing.model()
        say(f"training on {model.environment}: observations {list(model.observation.shape)}, {actions_of(model)}")
        about = {FILENAME: model.to_json(), SETTINGS_FILE: json.dumps(settings)}
        if options.source.strip():
            about[loader.FILENAME] = options.source
        train(options, playing, model, settings, about, Path(work))


def train(
    options: argparse.Namespace,
    playing: Playing,
    model: EnvironmentModel,
    settings: dict,
    about: dict[str, str],
    work: Path,
) -> None:
    store = ObjectStore(StoreSettings.from_environment())
    with (
        ray_nodes(options.run, options.rollout_workers, say) as address,
        ray_started(settings.get("num_env_runners", 0), address),
    ):
        if address:
            settings = {"num_env_runners": options.rollout_workers, **settings}
        algorithm = Algorithm(playing, model, settings, options.seed)
        try:
            training = Training(
                algorithm=algorithm,
                records=Records(work / "records"),
                checkpoints=CheckpointStore(store, options.run),
                budget=Budget(options.minutes, options.steps),
                about=about,
                work=work,
                say=say,
            )
            before = training.resume()
            say(f"RLlib's PPO with {algorithm.runners} processes that play")
            progress = training.run(before)
        finally:
            algorithm.close()
    collect(options, training, model, progress)


def collect(options: argparse.Namespace, training: Training, model: EnvironmentModel, progress: Progress) -> None:
    """Write the stage's outputs."""
    records = training.records
    training.fetch_best(options.checkpoint)
    options.intermediate.mkdir(parents=True, exist_ok=True)
    for name in (CSV, EPISODES):
        shutil.copyfile(records.folder / name, options.intermediate / name)
    options.history.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(records.folder / HISTORY, options.history)
    reward_plot(options.reward_plot, records.plotted(), model.environment)
    summary = {
        "environment": model.environment,
        "algorithm": model.algorithm,
        "steps": progress.steps,
        "iterations": progress.iteration,
        "episodes": progress.episodes,
        "seconds": round(progress.seconds, 3),
        "best": {"iteration": progress.best_iteration, "mean_return": progress.best},
    }
    write_atomically(options.summary, json.dumps(summary, indent=1) + "\n")
    if options.executor_output:
        figures = {"steps": progress.steps, "iterations": progress.iteration, "seconds": round(progress.seconds, 3)}
        write_metrics(options.executor_output, "metrics", {**figures, "best_mean_return": progress.best or 0.0})


def say(line: str) -> None:
    print(f"progress: {line}", flush=True)


def stop(*_: object) -> NoReturn:
    """A drain, a deadline, Ctrl-C: what is finished is in the store already."""
    raise KeyboardInterrupt


def actions_of(model: EnvironmentModel) -> str:
    return f"{model.actions} continuous actions" if model.continuous else f"one of {model.actions} actions"


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "train_rllib",
        __doc__ or "",
        "python -m kuberacer.stages.train_rllib --player Basic.x86_64 --steps 10000 --run mine --checkpoint c "
        "--intermediate i --history h.jsonl --reward-plot r.png --summary s.json",
    )
    add_playing(parser)
    parser.add_argument("--environment", default="", help="instead of a player: a Gymnasium id, or module:Class")
    parser.add_argument("--source", default="", help="Python source of the module own_environment, text")
    parser.add_argument("--hyperparameters", default="", help="JSON with RLlib's settings: gamma, lr, …, text")
    parser.add_argument("--minutes", type=float, default=0.0, help="how long to train; 0: until the steps are done")
    parser.add_argument("--steps", type=int, default=10_000, help="environment steps (%(default)s); 0: no limit")
    parser.add_argument(
        "--rollout-workers", type=int, default=2, help="nodes of Ray that play, where KubeRay is there (%(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", default="", help="name of the run, below which checkpoints lie in the store")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="OUTPUT", help="folder: the best checkpoint")
    parser.add_argument("--intermediate", type=Path, required=True, metavar="OUTPUT", help="folder: CSV files")
    parser.add_argument("--history", type=Path, required=True, metavar="OUTPUT", help="a JSON line an iteration")
    parser.add_argument("--reward-plot", type=Path, required=True, metavar="OUTPUT", help=".png")
    parser.add_argument("--summary", type=Path, required=True, metavar="OUTPUT", help="JSON")
    parser.add_argument("--executor-output", type=Path, metavar="OUTPUT", help="KFP's metrics, JSON")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
