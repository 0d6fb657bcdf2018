"""Train with rollout workers: processes of this machine, or pods of the cluster."""

import argparse
import os
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from kuberacer.coach.agent import Agent
from kuberacer.coach.hyperparameters import Hyperparameters
from kuberacer.errors import UserError
from kuberacer.rollout.assemble import Episodes, PlayedElsewhere
from kuberacer.rollout.broker import TrainerBroker
from kuberacer.rollout.checkpointing import Checkpointing
from kuberacer.rollout.distributed import DistributedTrainer
from kuberacer.rollout.fragment import Fragment
from kuberacer.rollout.handout import Handout, Setup
from kuberacer.rollout.laps import Lap
from kuberacer.rollout.live import Live
from kuberacer.rollout.local_workers import LocalWorkers
from kuberacer.rollout.own_pod import in_cluster
from kuberacer.rollout.records import Records
from kuberacer.rollout.redis_server import RedisServer
from kuberacer.rollout.trainer import Budget, Iteration, Progress
from kuberacer.rollout.training_rivals import TrainingRivals
from kuberacer.rollout.training_videos import TrainingVideos, filmed, played_elsewhere
from kuberacer.rollout.workers import RedisAddress, Workers
from kuberacer.settings import StoreSettings
from kuberacer.stages import train_live
from kuberacer.stages.train_shared import begins, say
from kuberacer.usage import METER


def train_distributed(
    options: argparse.Namespace,
    setup: Setup,
    rivals: TrainingRivals,
    hyper: Hyperparameters,
    agent: Agent,
    records: Records,
    checkpoints: Checkpointing,
    live: Live,
    drive_laps: Callable[[Path], Lap],
) -> Progress:
    progress = records.progress()
    checkpoints.bring_best(progress)
    budget = Budget(options.minutes, options.steps, hyper["term_cond_max_episodes"], hyper["term_cond_avg_score"])
    if budget.used(progress.seconds, agent.total_steps) >= 1 and progress.best is not None:
        return progress
    track = setup.track()

    def keep(turn: Iteration, done: Progress, trace: PlayedElsewhere) -> None:
        checkpoints.keep(turn, done, lambda: records.write_trace(turn.iteration, trace, track.length))
        train_live.tell(live, turn, done, budget)

    def told(iteration: int, lap: Lap) -> None:
        records.set_lap(iteration, lap)
        checkpoints.set_lap(iteration, lap)

    def film(iteration: int, fragments: list[Fragment]) -> None:
        if filmed(iteration, options.training_videos):
            videos.draw(iteration, played_elsewhere(track, fragments, iteration))

    handout = Handout(checkpoints.store, options.run)
    for graph in rivals.graphs.values():
        handout.rival(graph)
    image = image_of_pods(options, setup.environment)
    with (
        TrainingVideos(options.run, checkpoints.work, checkpoints.store, say) as videos,
        redis_for_rollouts(image) as redis,
        closing(workers_for(options, image, redis.address, checkpoints.work)) as workers,
        closing(TrainerBroker(redis.address, options.run, say=say)) as broker,
        closing(TrainerBroker(redis.address, options.run, patience_s=1.0)) as heard,
    ):
        live.workers, live.doing = heard.workers, "drives"
        begins(agent, f"{options.rollout_workers} rollout workers")
        trainer = DistributedTrainer(
            agent=agent,
            broker=broker,
            handout=handout,
            workers=workers,
            count=options.rollout_workers,
            setup=setup,
            budget=budget,
            work=checkpoints.work,
            freeze=checkpoints.freeze,
            drive_laps=drive_laps,
            keep=keep,
            told=told,
            film=film,
            saw=live.see_fragment,
            say=say,
            progress=progress,
            episodes=Episodes(max(progress.next_episode, records.next_episode())),
        )
        try:
            return trainer.run()
        finally:
            account(workers, broker)


def account(workers: Workers, broker: TrainerBroker) -> None:
    """Note what pods of workers had and used. Children of this process are counted by it."""
    held = workers.held()
    if held.pods:
        used = 0.0
        with suppress(UserError):
            used = sum(seen.cpu_s for seen in broker.workers())
        METER.add_rollouts(held, used)


def redis_for_rollouts(image: str) -> RedisServer:
    """On a cluster, where the workers reach it by a Service, on all of the pod's addresses."""
    if image:
        from kuberacer.rollout.cluster_workers import REDIS_PORT

        return RedisServer("0.0.0.0", "127.0.0.1", REDIS_PORT)
    return RedisServer()


def image_of_pods(options: argparse.Namespace, environment: dict[str, Any]) -> str:
    """The image of the workers' pods; '' where workers are processes of this machine.

    That which build_sim_image has put into a registry, when it did: it has the modules of the reward.
    """
    if not in_cluster():
        return ""
    if environment.get("kind") == "image":
        return str(environment["reference"])
    return options.rollout_image or os.environ.get("KUBERACER_IMAGE_ROLLOUT", "")


def workers_for(options: argparse.Namespace, image: str, redis: RedisAddress, work: Path) -> Workers:
    """Pods of the image, else processes of this machine."""
    if image:
        from kuberacer.rollout.cluster_workers import ClusterWorkers

        return ClusterWorkers.of_this_pod(options.run, image, options.queue)
    return LocalWorkers(options.run, redis, StoreSettings.from_environment().environment(), work / "worker-logs")
