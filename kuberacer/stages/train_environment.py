"""Train on any environment with a preset of rl_coach, a checkpoint at every iteration; goes on from the run's last."""

import argparse
import json
import signal
import tempfile
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from kuberacer.coach.agent import Agent
from kuberacer.coach.checkpoint_files import HYPERPARAMETERS, PRESET
from kuberacer.coach.device import memory_in_words
from kuberacer.coach.environment_model import FILENAME, EnvironmentModel
from kuberacer.coach.environment_preset import EnvironmentPreset
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.environments import loader
from kuberacer.environments.loader import Environments
from kuberacer.errors import UserError, run_main
from kuberacer.rollout.checkpointing import Checkpointing
from kuberacer.rollout.environment_play import EnvironmentCollector, evaluate, film
from kuberacer.rollout.environment_records import CSV, GIFS, EnvironmentRecords, gif_name, write_gif
from kuberacer.rollout.laps import Lap
from kuberacer.rollout.trainer import Budget, Iteration, Progress, Trainer
from kuberacer.settings import StoreSettings
from kuberacer.stages import mlflow_checkpoint
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.environment_arguments import add_environment, open_preset, with_given
from kuberacer.stages.mlflow_tracking import TrackedRun, shown
from kuberacer.stages.train_environment_outputs import INTERMEDIATE, collect, tracked_files
from kuberacer.stages.train_shared import begins, resume, say, stop
from kuberacer.store.client import ObjectStore

EVALUATION_SEED = 1_000_000  # apart from the training's: the same starts at every iteration


@dataclass
class Training:
    """What one training is made of."""

    options: argparse.Namespace
    preset: EnvironmentPreset
    environments: Environments
    model: EnvironmentModel
    agent: Agent
    records: EnvironmentRecords
    checkpoints: Checkpointing
    tracked: TrackedRun | None
    filmed: tuple[float, ...] | None = None  # how good the last one was

    def run(self) -> Progress:
        progress = self.records.progress()
        budget = Budget(self.options.minutes, self.options.steps or self.preset.improve_steps)
        if budget.used(progress.seconds, self.agent.total_steps) >= 1 and progress.best is not None:
            return progress
        copies = self.environments.vector(self.agent.cars)
        seed = self.options.seed + self.agent.iteration
        trainer = Trainer(
            agent=self.agent,
            collector=EnvironmentCollector(copies, self.agent, self.model, seed, self.records.next_episode()),
            budget=budget,
            freeze=self.checkpoints.freeze,
            drive_laps=self.measure,
            keep=self.keep,
            say=say,
            progress=progress,
            turn_steps=self.preset.between[0],
            turn_episodes=self.preset.between[1],
            line=progress_line,
        )
        try:
            return trainer.run()
        finally:
            copies.close()

    def keep(self, turn: Iteration, progress: Progress) -> None:
        self.checkpoints.keep(turn, progress, lambda: self.pictures(turn, progress))
        if self.tracked is not None:
            self.tracked.tell(turn, self.records.rows())

    def measure(self, graph: Path) -> Lap:
        """How the very graph plays that is published; its mean return ranks the checkpoint."""
        policy = FrozenPolicy(graph, self.model, threads=1)
        try:
            seed = EVALUATION_SEED + self.options.seed
            episodes = self.preset.evaluation_episodes
            played = evaluate(policy.best_actions, self.environments, self.model, episodes, seed)
        finally:
            policy.close()
        return Lap(completed=False, progress=0.0, seconds=0.0, status="evaluated", laps=0, reward=played.mean)

    def pictures(self, turn: Iteration, progress: Progress) -> dict[str, Path]:
        """A film of each iteration that is better than all before, and rl_coach's CSV as far as it goes."""
        found = {}
        rank = turn.lap.rank() if turn.lap else None
        if self.options.films and progress.best_iteration == turn.iteration and rank != self.filmed:
            self.filmed = rank
            seed = EVALUATION_SEED + self.options.seed
            made = film(self.agent.best_actions, self.environments, self.model, seed)
            if made.pictures:
                path = self.records.folder / GIFS / gif_name(turn.episodes, made.score)
                write_gif(path, made)
                found[f"{INTERMEDIATE}/{GIFS}/{path.name}"] = path
        if (csv := self.records.folder / CSV).exists():  # of the iterations before: this one's is in its checkpoint
            found[f"{INTERMEDIATE}/{CSV}"] = csv
        return found


def progress_line(turn: Iteration, progress: Progress, budget: Budget) -> str:
    """One line an iteration: episodes, return, evaluation, best, steps/s, time left."""
    used = budget.used(progress.seconds, turn.steps)
    left = progress.seconds * (1 - used) / used if used else 0.0
    parts = [f"iteration {turn.iteration}", f"{turn.episodes} episodes", f"{turn.steps:,} steps"]
    if turn.mean_return is not None:
        parts.append(f"return {turn.mean_return:.1f}")
    if turn.lap is not None and turn.lap.reward is not None:
        parts.append(f"evaluation {turn.lap.reward:.1f}")
    if progress.best is not None and progress.best.reward is not None:
        parts.append(f"best {progress.best.reward:.1f}")
    parts += [f"{turn.steps / progress.seconds:.0f} steps/s", f"{max(0, left):.0f} s left"]
    return " · ".join(parts)


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    options = arguments()
    source, preset = open_preset(options.preset, options.hyperparameters)
    if options.minutes <= 0 and options.steps <= 0 and preset.improve_steps <= 0:
        raise UserError(
            "the training has no end", "give MINUTES, STEPS, or improve_steps in the preset's EnvironmentSteps"
        )
    name = options.environment or preset.level
    if not name:
        raise UserError("no environment is named", "give ENVIRONMENT, or a level in the preset's env_params")
    environments = Environments(name, options.source, with_given(preset.parameters, options.environment_parameters))
    model = environments.model(preset.algorithm, preset.preprocess)
    options.copies = min(options.copies, environments.most_copies or options.copies)
    with tempfile.TemporaryDirectory(prefix="kuberacer-train-") as work:
        threads = None if model.observation.dtype == "uint8" else 1  # small networks are slower on more
        agent = preset.build_agent(model, options.copies, options.seed, threads)
        records = EnvironmentRecords(Path(work) / "records")
        about = {FILENAME: model.to_json(), PRESET: source, HYPERPARAMETERS: json.dumps(dict(preset.settings))}
        if options.source.strip():
            about[loader.FILENAME] = options.source
        store = ObjectStore(StoreSettings.from_environment())
        with (
            loader.faults_told(),
            memory_in_words(agent.hyper["batch_size"], options.copies),
            Checkpointing(agent, records, store, options.run, Path(work), about) as checkpoints,
        ):
            pretrained = begin(options, agent, checkpoints, records, Path(work))
            tracked = track(options, preset, model)
            played = f"{options.copies} {'copy' if options.copies == 1 else 'copies'} of {name}"
            begins(agent, played)
            training = Training(options, preset, environments, model, agent, records, checkpoints, tracked)
            with tracked.ending() if tracked else nullcontext():
                progress = training.run()
                checkpoints.wait()
                collect(options, environments, model, agent, records, checkpoints, progress, pretrained)
                if tracked is not None:
                    tracked.finish(agent.total_steps, records.rows(), tracked_files(options))
                    say(f"MLflow has it as run {tracked.run_id}")
        agent.close()


def begin(
    options: argparse.Namespace, agent: Agent, checkpoints: Checkpointing, records: EnvironmentRecords, work: Path
) -> dict | None:
    """Bring the agent to the run's last checkpoint, else to that of an MLflow run where one is named; what is told of
    the latter."""
    resume(checkpoints, records)
    if agent.total_steps or not (options.checkpoint_runid or options.checkpoint_id):
        return None
    found = mlflow_checkpoint.begin_with(
        agent, options.mlflow_tracking_uri, options.checkpoint_runid, options.checkpoint_id, work / "begun-with"
    )
    say(f"begins with {found['checkpoint']} of {found['from']}")
    return found


def track(options: argparse.Namespace, preset: EnvironmentPreset, model: EnvironmentModel) -> TrackedRun | None:
    """The training's run in MLflow, where an experiment is named. Raises UserError where MLflow does not answer."""
    told = {
        **preset.settings,
        **model.parameters,
        "environment": model.environment,
        "algorithm": model.algorithm,
        "copies": options.copies,
        "seed": options.seed,
        "checkpoint_runid": options.checkpoint_runid or None,
        "checkpoint_id": options.checkpoint_id or None,
    }
    tracked = TrackedRun.begin(options.mlflow_experiment, options.mlflow_tracking_uri, options.run, told)
    if tracked is not None:
        say(f"MLflow: experiment {options.mlflow_experiment}, run {tracked.run_id}, at {shown(tracked.address)}")
    elif options.mlflow_experiment:
        say("not kept in MLflow: no server is named (MLFLOW_TRACKING_URI)")
    return tracked


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "train_environment",
        __doc__ or "",
        'python -m kuberacer.stages.train_environment --hyperparameters \'{"RLCOACH_PRESET": "mountain_car_dqn"}\' '
        "--run mine --checkpoint c --intermediate i --history h.jsonl --reward-plot r.png --plots p --summary s.json",
    )
    add_environment(parser)
    parser.add_argument("--preset", default="", help="Python source of an rl_coach preset, text")
    parser.add_argument(
        "--hyperparameters", default="", help="JSON with RLCOACH_PRESET, discount, improve_steps …, text"
    )
    parser.add_argument("--minutes", type=float, default=0.0, help="how long to train; 0: until the steps are done")
    parser.add_argument("--steps", type=int, default=0, help="environment steps; 0: the preset's improve_steps")
    parser.add_argument("--copies", type=int, default=8, help="of the environment, stepped together (%(default)s)")
    parser.add_argument(
        "--films", type=int, default=1, help="1: a GIF of every iteration that is the best so far; 0: none"
    )
    parser.add_argument("--checkpoint-runid", default="", help="MLflow run whose checkpoint to begin with")
    parser.add_argument("--checkpoint-id", default="", help="its checkpoint: N_Step-M.ckpt")
    parser.add_argument("--mlflow-experiment", default="", help="in which to keep the training; none: not in MLflow")
    parser.add_argument("--mlflow-tracking-uri", default="", help="where MLflow is (default: MLFLOW_TRACKING_URI)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", default="", help="name of the run, below which checkpoints lie in the store")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="OUTPUT", help="folder: the best checkpoint")
    parser.add_argument(
        "--intermediate", type=Path, required=True, metavar="OUTPUT", help="folder: rl_coach's CSV, gifs"
    )
    parser.add_argument("--history", type=Path, required=True, metavar="OUTPUT", help="a JSON line an iteration")
    parser.add_argument("--reward-plot", type=Path, required=True, metavar="OUTPUT", help=".png")
    parser.add_argument(
        "--plots",
        type=Path,
        required=True,
        metavar="OUTPUT",
        help="folder: that plot, and what the environment draws of itself",
    )
    parser.add_argument("--summary", type=Path, required=True, metavar="OUTPUT", help="JSON")
    parser.add_argument("--executor-output", type=Path, metavar="OUTPUT", help="KFP's metrics, JSON")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
