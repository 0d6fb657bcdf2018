"""Train on any environment with a preset of rl_coach, a checkpoint at every iteration; goes on from the run's last."""

import argparse
import json
import shutil
import signal
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kuberacer.coach.agent import Agent
from kuberacer.coach.checkpoint_files import HYPERPARAMETERS, PRESET
from kuberacer.coach.device import device, memory_in_words
from kuberacer.coach.environment_model import FILENAME, EnvironmentModel
from kuberacer.coach.environment_preset import EnvironmentPreset
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.environments import loader
from kuberacer.environments.loader import Environments
from kuberacer.errors import UserError, run_main
from kuberacer.formats.write import write_atomically
from kuberacer.report.reward_plot import reward_plot
from kuberacer.rollout.checkpointing import Checkpointing
from kuberacer.rollout.environment_play import EnvironmentCollector, evaluate, film
from kuberacer.rollout.environment_records import CSV, GIFS, EnvironmentRecords, gif_name, write_gif
from kuberacer.rollout.laps import Lap
from kuberacer.rollout.records import HISTORY
from kuberacer.rollout.trainer import Budget, Iteration, Progress, Trainer
from kuberacer.settings import StoreSettings
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.environment_arguments import add_environment, open_preset
from kuberacer.stages.executor_output import write_metrics
from kuberacer.stages.train import resume, stop
from kuberacer.store.client import ObjectStore

INTERMEDIATE = "output/intermediate"  # below the run in the store
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
            keep=lambda turn, done: self.checkpoints.keep(turn, done, lambda: self.pictures(turn, done)),
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
        """A film of each iteration that is the best so far, and rl_coach's CSV as far as it goes."""
        found = {}
        if progress.best_iteration == turn.iteration and self.options.films:
            seed = EVALUATION_SEED + self.options.seed
            made = film(self.agent.best_actions, self.environments, self.model, seed)
            if made.pictures:
                path = self.records.folder / GIFS / gif_name(turn.episodes, made.score)
                write_gif(path, made)
                found[f"{INTERMEDIATE}/{GIFS}/{path.name}"] = path
        if (csv := self.records.folder / CSV).exists():  # of the iterations before: this one's is in its checkpoint
            found[f"{INTERMEDIATE}/{CSV}"] = csv
        return found


def say(line: str) -> None:
    print(f"progress: {line}", flush=True)


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
    environments = Environments(name, options.source, preset.parameters)
    model = environments.model(preset.algorithm, preset.preprocess)
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
            resume(checkpoints, records)
            say(f"training on {device()} in {agent.precision}, {options.copies} copies of {name}")
            training = Training(options, preset, environments, model, agent, records, checkpoints)
            progress = training.run()
            checkpoints.wait()
            collect(training, progress)
        agent.close()


def collect(training: Training, progress: Progress) -> None:
    """Write the stage's outputs from what lies in the store."""
    options, records, checkpoints, agent = training.options, training.records, training.checkpoints, training.agent
    assert progress.best is not None, "at least one iteration was done"
    checkpoints.fetch_best(options.checkpoint)
    checkpoints.finish()
    options.intermediate.mkdir(parents=True, exist_ok=True)
    checkpoints.fetch_beside(INTERMEDIATE, options.intermediate)
    shutil.copyfile(records.folder / CSV, options.intermediate / CSV)
    options.history.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(records.folder / HISTORY, options.history)
    reward_plot(options.reward_plot, records.rows(), training.model.environment)
    summary = {
        "environment": training.model.environment,
        "algorithm": training.model.algorithm,
        "steps": agent.total_steps,
        "iterations": agent.iteration,
        "episodes": progress.episodes,
        "seconds": round(progress.seconds, 3),
        "precision": agent.precision,
        "best": {"iteration": progress.best_iteration, "mean_return": progress.best.reward},
    }
    write_atomically(options.summary, json.dumps(summary, indent=1) + "\n")
    if options.executor_output:
        figures = {"steps": agent.total_steps, "iterations": agent.iteration, "seconds": round(progress.seconds, 3)}
        write_metrics(options.executor_output, "metrics", {**figures, "best_mean_return": progress.best.reward or 0.0})


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "train_environment",
        __doc__ or "",
        'python -m kuberacer.stages.train_environment --hyperparameters \'{"RLCOACH_PRESET": "mountain_car_dqn"}\' '
        "--run mine --checkpoint c --intermediate i --history h.jsonl --reward-plot r.png --summary s.json",
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
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--run", default="", help="name of the run, below which checkpoints lie in the store")
    parser.add_argument("--checkpoint", type=Path, required=True, metavar="OUTPUT", help="folder: the best checkpoint")
    parser.add_argument(
        "--intermediate", type=Path, required=True, metavar="OUTPUT", help="folder: rl_coach's CSV, gifs"
    )
    parser.add_argument("--history", type=Path, required=True, metavar="OUTPUT", help="a JSON line an iteration")
    parser.add_argument("--reward-plot", type=Path, required=True, metavar="OUTPUT", help=".png")
    parser.add_argument("--summary", type=Path, required=True, metavar="OUTPUT", help="JSON")
    parser.add_argument("--executor-output", type=Path, metavar="OUTPUT", help="KFP's metrics, JSON")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
