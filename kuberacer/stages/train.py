"""Train: play, learn and keep a checkpoint, iteration by iteration; goes on from the run's last checkpoint."""

import argparse
import json
import signal
import socket
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from kuberacer.coach.agent import Agent
from kuberacer.coach.build import build_agent
from kuberacer.coach.device import memory_in_words
from kuberacer.coach.frozen_policy import FrozenPolicy
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.coach.metadata import ModelMetadata
from kuberacer.coach.user_preset import Preset
from kuberacer.errors import UserError, run_main
from kuberacer.formats.race_config import RaceConfig
from kuberacer.reward.open_reward import Reward
from kuberacer.rollout.checkpointing import Checkpointing
from kuberacer.rollout.collector import Collector
from kuberacer.rollout.deepracer_sim import given_simulators, time_trials_only
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.handout import Setup
from kuberacer.rollout.laps import Lap
from kuberacer.rollout.live import Live
from kuberacer.rollout.model_files import METADATA
from kuberacer.rollout.model_folder import HYPERPARAMETERS
from kuberacer.rollout.own_pod import in_cluster
from kuberacer.rollout.race_rules import lap_rules, scene_of, training_rules
from kuberacer.rollout.records import Records
from kuberacer.rollout.trainer import Budget, Iteration, Progress, Trainer
from kuberacer.rollout.training_rivals import TrainingRivals
from kuberacer.rollout.training_videos import Lookout, TrainingVideos
from kuberacer.settings import StoreSettings
from kuberacer.sim.track import Track
from kuberacer.stages import train_live
from kuberacer.stages.train_arguments import arguments
from kuberacer.stages.train_distributed import train_distributed
from kuberacer.stages.train_outputs import collect
from kuberacer.stages.train_pretrained import begin_with, model_metadata, pretrained_model
from kuberacer.stages.train_shared import begins, resume, say, stop
from kuberacer.store.client import ObjectStore
from kuberacer.store.log_copy import LogCopy, log_key


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    options = arguments()
    if options.minutes <= 0 and options.steps <= 0:
        raise UserError("the training has no end: minutes and steps are both 0", "give MINUTES or STEPS")
    store = ObjectStore(StoreSettings.from_environment())
    name = socket.gethostname() if in_cluster() else "train"
    # On one's own machine the log is a file in the run's folder.
    with LogCopy(store, log_key(options.run, name)) if options.rollout_workers or in_cluster() else nullcontext():
        learn(options, store)


def learn(options: argparse.Namespace, store: ObjectStore) -> None:
    track = Track.from_route(np.load(options.track_file, allow_pickle=False), options.track_name)
    race = RaceConfig.parse(options.race, "training")
    scene_of(race).check(track)
    if given_simulators():
        time_trials_only(scene_of(race).objects)
    preset = Preset.load(options.preset) if options.preset.strip() else None
    algorithm = preset.algorithm(options.hyperparameters, options.algorithm) if preset else options.algorithm
    source = options.reward_file.read_text(encoding="utf-8")
    cars = options.cars_per_worker if options.rollout_workers else options.cars
    with tempfile.TemporaryDirectory(prefix="kuberacer-train-") as work:
        model = pretrained_model(options, store, Path(work))
        metadata = model_metadata(options, algorithm, store, model)
        hyper = Hyperparameters.parse(options.hyperparameters, metadata.algorithm)
        about = {METADATA: metadata.to_json(), HYPERPARAMETERS: hyper.to_json()}
        records = Records(Path(work) / "records", race.best_model_metric)
        agent = build_agent(metadata, hyper, cars=cars, seed=options.seed, preset=preset)
        environment = json.loads(options.environment.read_text(encoding="utf-8"))
        with (
            train_live.watched(options, store, track, race, metadata, hyper, source) as live,
            memory_in_words(hyper["batch_size"], cars),
            Checkpointing(agent, records, store, options.run, Path(work), about) as checkpoints,
        ):
            resume(checkpoints, records)
            rivals = TrainingRivals.fetch(race, Path(work))
            setup = rollout_setup(options, race, rivals, metadata, source, environment, agent)
            laps = partial(drive, setup=setup, rivals=rivals)
            if model is not None:
                begin_with(
                    model,
                    options.pretrained,
                    agent,
                    checkpoints,
                    # The real simulator drives its laps beside the training; this one is not driven there.
                    None if given_simulators() else laps,
                )
            if options.rollout_workers:
                progress = train_distributed(options, setup, rivals, hyper, agent, records, checkpoints, live, laps)
            else:
                with setup.reward_process(cars) as reward:
                    begins(agent, f"{cars} cars, reward {reward.path}")
                    progress = train(options, setup, rivals, hyper, agent, reward, records, checkpoints, live)
            checkpoints.wait()
            collect(options, metadata, hyper, agent, progress, records, checkpoints)
        agent.close()


def train(
    options: argparse.Namespace,
    setup: Setup,
    rivals: TrainingRivals,
    hyper: Hyperparameters,
    agent: Agent,
    reward: Reward,
    records: Records,
    checkpoints: Checkpointing,
    live: Live,
) -> Progress:
    progress = records.progress()
    track, metadata, lookout = setup.track(), setup.model(), Lookout(options.training_videos)
    entrants = setup.entrants(rivals.graphs.__getitem__)
    sim = setup.simulator(entrants, setup.seed + agent.iteration)
    collector = Collector(
        sim, reward, agent, metadata, agent.stack_size,
        next_episode=records.next_episode(), lookout=lookout, live=live,
    )  # fmt: skip
    budget = Budget(options.minutes, options.steps, hyper["term_cond_max_episodes"], hyper["term_cond_avg_score"])
    if budget.used(progress.seconds, agent.total_steps) >= 1 and progress.best is not None:
        return progress

    def keep(turn: Iteration, done: Progress) -> None:
        checkpoints.keep(turn, done, lambda: records.write_trace(turn.iteration, collector.trace, track.length))
        train_live.tell(live, turn, done, budget)
        if lookout.watching:
            videos.draw(turn.iteration, lookout.recording(track, collector.trace.rows[:, 0], turn.iteration))

    with TrainingVideos(options.run, checkpoints.work, checkpoints.store, say) as videos:
        trainer = Trainer(
            agent=agent,
            collector=collector,
            budget=budget,
            freeze=checkpoints.freeze,
            drive_laps=lambda graph: laps_of(graph, setup, entrants),
            keep=keep,
            say=say,
            progress=progress,
        )
        return trainer.run()


def rollout_setup(
    options: argparse.Namespace,
    race: RaceConfig,
    rivals: TrainingRivals,
    metadata: ModelMetadata,
    source: str,
    environment: dict[str, Any],
    agent: Agent,
) -> Setup:
    """What is played, here or by workers."""
    return Setup(
        track_name=options.track_name,
        route=np.load(options.track_file, allow_pickle=False).tolist(),
        metadata=metadata.to_json(),
        algorithm=metadata.algorithm,
        reward=source,
        environment=environment,
        cars=agent.cars,
        stack=agent.stack_size,
        seed=options.seed,
        rules=training_rules(race),
        lap_rules=lap_rules(race),
        lap_starts=race.min_eval_trials,
        reward_counts=race.best_model_metric == "reward",
        rivals=rivals.models,
        color=race.cars[0].color,
    )


def drive(graph: Path, setup: Setup, rivals: TrainingRivals) -> Lap:
    return laps_of(graph, setup, setup.entrants(rivals.graphs.__getitem__))


def laps_of(graph: Path, setup: Setup, rivals: Sequence[Entrant]) -> Lap:
    """How the very graph drives which the car would get."""
    policy = FrozenPolicy(graph, setup.model())
    try:
        return setup.drive_laps(policy.best_actions, policy.stack_size, rivals)
    finally:
        policy.close()


if __name__ == "__main__":
    run_main(main)
