"""From a reward function to a car that drives: validate, build, train, freeze, evaluate, publish."""

from pathlib import Path

from kfp import dsl, kubernetes

from components import pools
from components.build_sim_image.component import build_sim_image
from components.evaluate.component import evaluate
from components.freeze_graph.component import freeze_graph
from components.images import BUILDER, ROLLOUT
from components.publish.component import publish
from components.train.component import train
from components.validate_reward.component import validate_reward

DEFAULT_REWARD = (Path(__file__).parents[1] / "rewards" / "follow_center_line.py").read_text(encoding="utf-8")

STORE_SECRET = "kuberacer-store"
STORE_KEYS = (
    "KUBERACER_S3_ENDPOINT",
    "KUBERACER_S3_BUCKET",
    "KUBERACER_S3_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
)
REDIS_SECRET, REDIS_KEY = "kuberacer-redis", "KUBERACER_REDIS_PASSWORD"  # the trainer's, for its rollout workers


def with_store(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """The stage gets the object store's settings from a secret, which is named here and never read."""
    return kubernetes.use_secret_as_env(task, STORE_SECRET, {key: key for key in STORE_KEYS})


def built_image(**arguments) -> dsl.PipelineTask:
    """Stage 2, told of the images that a build on a cluster is made from and made by."""
    built = pools.small(with_store(build_sim_image(**arguments)))
    built.set_env_variable("KUBERACER_IMAGE_ROLLOUT", ROLLOUT).set_env_variable("KUBERACER_IMAGE_BUILDER", BUILDER)
    return built


@dsl.pipeline(
    name="race",
    description="From a reward function to a DeepRacer model that drives: validated, trained, measured, published.",
)
def race(
    reward: str = DEFAULT_REWARD,
    track: str = "kidney",
    race: str = "",
    evaluation: str = "",
    algorithm: str = "clipped_ppo",
    hyperparameters: str = "",
    metadata: str = "",
    preset: str = "",
    pretrained: str = "",
    pretrained_checkpoint: str = "best",
    minutes: float = 2.0,
    steps: int = 0,
    cars: int = 32,
    seed: int = 0,
    rollout_workers: int = 0,
    cars_per_worker: int = 16,
    queue: str = "",
    trials: int = 3,
    off_track_penalty: float = 5.0,
    collision_penalty: float = 5.0,
    resets: int = 10,
    training_videos: int = 0,
    requirements: str = "",
    allowed_imports: str = "",
    registry: str = "",
    run: str = "",
):
    """From a reward function to a DeepRacer model that drives.

    Args:
        reward: The reward function: its Python source, a reward.yaml for another language, or the s3:// address of one.
        track: Name of one of KubeRacer's own tracks, or the s3:// address of a DeepRacer route file (.npy).
        race: The race: paste DeepRacer's training YAML (docs/race.md has the keys). Empty: a time trial.
        evaluation: YAML keys that replace those of `race` in the evaluation. Empty: none.
        algorithm: clipped_ppo, sac or dqn.
        hyperparameters: DeepRacer's hyperparameters.json: paste it. Empty: KubeRacer's defaults.
        metadata: DeepRacer's model_metadata.json with the action space: paste it. Empty: KubeRacer's default.
        preset: Python source of an rl_coach preset, which decides on the algorithm. Empty: none.
        pretrained: Model to go on from: a run in the object store, or the s3:// address of a model. Empty: none.
        pretrained_checkpoint: Which checkpoint of that model: best or last.
        minutes: How long to train, in minutes. 0: until `steps`.
        steps: After how many environment steps to stop training. 0: no limit.
        cars: Cars that drive at once in the trainer itself, when there are no rollout workers.
        seed: Seed of everything that is drawn.
        rollout_workers: Workers that drive cars for the trainer, each a pod of its own. 0: none.
        cars_per_worker: Cars that each worker drives at once.
        queue: Kueue's LocalQueue that admits the workers. Empty: none.
        trials: Laps of the evaluation.
        off_track_penalty: Seconds added in the evaluation each time the car leaves the track.
        collision_penalty: Seconds added in the evaluation each time the car hits something.
        resets: How often the car may be put back in one lap of the evaluation.
        training_videos: Make a video of every so many-th training iteration. 0: none.
        requirements: pip requirement lines of modules that the reward function imports.
        allowed_imports: More modules that the reward function may import, separated by commas.
        registry: Registry into which the cluster builds an image with these modules. Empty: no image is built there.
        run: Name of the run in the object store; the name of an earlier run continues its training. Empty: a new one.
    """
    job = dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER
    validated = with_store(
        validate_reward(
            reward=reward,
            track=track,
            race=race,
            evaluation=evaluation,
            allowed_imports=allowed_imports,
            requirements=requirements,
        )
    )
    pools.small(validated)
    reward_file = validated.outputs["reward_file"]
    track_file, track_name = validated.outputs["track_file"], validated.outputs["track_name"]
    built = built_image(
        reward_file=reward_file, track_file=track_file, requirements=requirements, registry=registry, run=run, job=job
    )
    # No retries here: rl_coach's faults are the user's to mend, and a lost node is retried by the engine itself.
    trained = with_store(
        train(
            reward_file=reward_file,
            track_file=track_file,
            track_name=track_name,
            environment=built.outputs["environment"],
            race=race,
            training_videos=training_videos,
            algorithm=algorithm,
            hyperparameters=hyperparameters,
            metadata=metadata,
            preset=preset,
            pretrained=pretrained,
            pretrained_checkpoint=pretrained_checkpoint,
            minutes=minutes,
            steps=steps,
            cars=cars,
            seed=seed,
            rollout_workers=rollout_workers,
            cars_per_worker=cars_per_worker,
            queue=queue,
            run=run,
            job=job,
        )
    )
    pools.trainer(trained)
    kubernetes.use_secret_as_env(trained, REDIS_SECRET, {REDIS_KEY: REDIS_KEY})
    frozen = pools.small(freeze_graph(checkpoint=trained.outputs["checkpoint"]))
    evaluated = with_store(
        evaluate(
            model=frozen.outputs["model"],
            reward_file=reward_file,
            environment=built.outputs["environment"],
            track_file=track_file,
            track_name=track_name,
            race=race,
            evaluation=evaluation,
            trials=trials,
            off_track_penalty=off_track_penalty,
            collision_penalty=collision_penalty,
            resets=resets,
            seed=seed,
            run=run,
            job=job,
        )
    )
    pools.small(evaluated)
    published = with_store(
        publish(
            model=frozen.outputs["model"],
            checkpoint=trained.outputs["checkpoint"],
            checks=frozen.outputs["checks"],
            reward_file=reward_file,
            track_file=track_file,
            track_name=track_name,
            training_metrics=trained.outputs["training_metrics"],
            history=trained.outputs["history"],
            summary=trained.outputs["summary"],
            training_simtrace=trained.outputs["simtrace"],
            evaluation_metrics=evaluated.outputs["evaluation_metrics"],
            evaluation_simtrace=evaluated.outputs["simtrace"],
            video=evaluated.outputs["video"],
            videos=evaluated.outputs["videos"],
            race_result=evaluated.outputs["race_result"],
            reward_map_png=validated.outputs["reward_map_png"],
            environment=built.outputs["environment"],
            validate_usage=validated.outputs["usage"],
            build_usage=built.outputs["usage"],
            train_usage=trained.outputs["usage"],
            freeze_usage=frozen.outputs["usage"],
            evaluate_usage=evaluated.outputs["usage"],
            race=race,
            evaluation=evaluation,
            seed=seed,
            run=run,
            job=job,
        )
    )
    pools.small(published)
