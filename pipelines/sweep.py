"""A sweep: the race's training for every setting with every seed, and one comparison at the end."""

from kfp import dsl, kubernetes

from components import pools
from components.compare_sweep.component import compare_sweep
from components.plan_sweep.component import plan_sweep
from components.train.component import train
from components.validate_reward.component import validate_reward
from pipelines.race import DEFAULT_REWARD, REDIS_KEY, REDIS_SECRET, built_image, with_store

AT_ONCE = 10  # trials; the cluster's quota may allow fewer


@dsl.pipeline(name="trials")
def train_trials(
    trials: list,
    reward_file: dsl.Input[dsl.Artifact],
    track_file: dsl.Input[dsl.Dataset],
    track_name: str,
    environment: dsl.Input[dsl.Artifact],
    race: str,
    algorithm: str,
    metadata: str,
    minutes: float,
    steps: int,
    cars: int,
    rollout_workers: int,
    cars_per_worker: int,
    queue: str,
):
    """A pipeline of its own, so that what comes after it waits for all trials."""
    with dsl.ParallelFor(trials, parallelism=AT_ONCE) as trial:
        trained = with_store(
            train(
                reward_file=reward_file,
                track_file=track_file,
                track_name=track_name,
                environment=environment,
                race=race,
                algorithm=algorithm,
                hyperparameters=trial.hyperparameters,
                metadata=metadata,
                minutes=minutes,
                steps=steps,
                cars=cars,
                seed=trial.seed,
                rollout_workers=rollout_workers,
                cars_per_worker=cars_per_worker,
                queue=queue,
                run=trial.run,
            )
        )
        pools.trainer(trained)
        kubernetes.use_secret_as_env(trained, REDIS_SECRET, {REDIS_KEY: REDIS_KEY})


@dsl.pipeline(
    name="sweep",
    description="The race's training for every setting with every seed, and a comparison with confidence intervals.",
)
def sweep(
    seeds: list = [0, 1, 2],  # noqa: B006  only KFP reads it
    settings: dict = {"default": {}},  # noqa: B006
    reward: str = DEFAULT_REWARD,
    track: str = "kidney",
    race: str = "",
    algorithm: str = "clipped_ppo",
    metadata: str = "",
    minutes: float = 2.0,
    steps: int = 0,
    cars: int = 32,
    rollout_workers: int = 0,
    cars_per_worker: int = 16,
    queue: str = "",
    requirements: str = "",
    allowed_imports: str = "",
    registry: str = "",
    run: str = "",
):
    """Which hyperparameters learn best, over several seeds.

    Args:
        seeds: Every setting is trained with each of these.
        settings: Names and their hyperparameters, such as {"default": {}, "slow": {"lr": 0.0001}}.
        reward: The reward function: its Python source, a reward.yaml for another language, or the s3:// address of one.
        track: Name of one of KubeRacer's own tracks, or the s3:// address of a DeepRacer route file (.npy).
        race: The race: paste DeepRacer's training YAML (docs/race.md has the keys). Empty: a time trial.
        algorithm: clipped_ppo, sac or dqn.
        metadata: DeepRacer's model_metadata.json with the action space: paste it. Empty: KubeRacer's default.
        minutes: How long to train each trial, in minutes. 0: until `steps`.
        steps: After how many environment steps to stop a trial. 0: no limit.
        cars: Cars that drive at once in the trainer itself, when there are no rollout workers.
        rollout_workers: Workers that drive cars for each trainer, each a pod of its own. 0: none.
        cars_per_worker: Cars that each worker drives at once.
        queue: Kueue's LocalQueue that admits the workers. Empty: none.
        requirements: pip requirement lines of modules that the reward function imports.
        allowed_imports: More modules that the reward function may import, separated by commas.
        registry: Registry into which the cluster builds an image with these modules. Empty: no image is built there.
        run: Name of the sweep in the object store; the name of an earlier one continues its trials. Empty: a new one.
    """
    job = dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER
    planned = pools.small(plan_sweep(seeds=seeds, settings=settings, algorithm=algorithm, run=run, job=job))
    validated = with_store(
        validate_reward(
            reward=reward, track=track, race=race, allowed_imports=allowed_imports, requirements=requirements
        )
    )
    pools.small(validated)
    reward_file, track_file = validated.outputs["reward_file"], validated.outputs["track_file"]
    built = built_image(
        reward_file=reward_file, track_file=track_file, requirements=requirements, registry=registry, run=run, job=job
    )
    trained = train_trials(
        trials=planned.outputs["trials"],
        reward_file=reward_file,
        track_file=track_file,
        track_name=validated.outputs["track_name"],
        environment=built.outputs["environment"],
        race=race,
        algorithm=algorithm,
        metadata=metadata,
        minutes=minutes,
        steps=steps,
        cars=cars,
        rollout_workers=rollout_workers,
        cars_per_worker=cars_per_worker,
        queue=queue,
    )
    compared = with_store(compare_sweep(trials=planned.outputs["trials"], run=run, job=job)).after(trained)
    pools.small(compared)
    compared.set_caching_options(False)  # it reads the store
