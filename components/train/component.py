"""Stage 3: train a policy, with a checkpoint in the object store at every iteration."""

from kfp import dsl

from components.images import RACE, RACE_GPU, ROLLOUT
from components.pools import trainer_gpus


@dsl.container_component
def train(
    reward_file: dsl.Input[dsl.Artifact],
    track_file: dsl.Input[dsl.Dataset],
    track_name: str,
    environment: dsl.Input[dsl.Artifact],
    checkpoint: dsl.Output[dsl.Model],
    training_metrics: dsl.Output[dsl.Artifact],
    history: dsl.Output[dsl.Dataset],
    simtrace: dsl.Output[dsl.Dataset],
    videos: dsl.Output[dsl.Artifact],
    summary: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    usage: dsl.Output[dsl.Artifact],
    race: str = "",
    training_videos: int = 0,
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
    run: str = "",
    job: str = "",
):
    """Trains with rl_coach on many cars at once, and goes on from the run's last checkpoint when there is one.

    Args:
        reward_file: The reward function's source.
        track_file: The track's route.
        track_name: The track's name.
        environment: What build_sim_image built.
        checkpoint: The best checkpoint (TensorFlow's files, model_metadata.json, hyperparameters.json, graph).
        training_metrics: DeepRacer's TrainingMetrics.json.
        history: One JSON line an iteration.
        simtrace: DeepRacer's sim traces of training, one CSV file an iteration.
        videos: Those of training iterations, as a DeepRacer bucket has them, and videos.json that lists them.
        summary: What came of it, as JSON (first_lap_s, steps, iterations, seconds, best).
        metrics: The same figures for the pipeline's page.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        race: DeepRacer's training YAML. Default: a time trial.
        training_videos: Make a video of every so many-th iteration. 0: none.
        algorithm: clipped_ppo, sac or dqn.
        hyperparameters: hyperparameters.json as DeepRacer has it. Default: KubeRacer's.
        metadata: model_metadata.json as DeepRacer has it. Default: KubeRacer's.
        preset: Python source of an rl_coach preset. Default: none.
        pretrained: Model to begin with: a run in the store, or the s3:// address of a model. Default: none.
        pretrained_checkpoint: Which checkpoint of that model: best or last.
        minutes: How long to train. 0: no limit.
        steps: After how many environment steps to stop. 0: no limit.
        cars: Cars that drive at once.
        seed: Seed of everything that is drawn.
        rollout_workers: Workers that drive cars for the trainer. 0: the cars drive in the trainer itself.
        cars_per_worker: Cars that each worker drives at once.
        queue: Kueue's LocalQueue that admits the workers. Empty: none.
        run: Name of the run, below which checkpoints lie in the store. Default: `job`.
        job: What the pipeline's engine calls this run.
    """
    return dsl.ContainerSpec(
        image=RACE_GPU if trainer_gpus() else RACE,
        command=["python", "-m", "kuberacer.stages.train"],
        args=[
            "--reward-file",
            reward_file.path,
            "--track-file",
            track_file.path,
            "--track-name",
            track_name,
            "--environment",
            environment.path,
            "--race",
            race,
            "--training-videos",
            training_videos,
            "--algorithm",
            algorithm,
            "--hyperparameters",
            hyperparameters,
            "--metadata",
            metadata,
            "--preset",
            preset,
            "--pretrained",
            pretrained,
            "--pretrained-checkpoint",
            pretrained_checkpoint,
            "--minutes",
            minutes,
            "--steps",
            steps,
            "--cars",
            cars,
            "--seed",
            seed,
            "--rollout-workers",
            rollout_workers,
            "--cars-per-worker",
            cars_per_worker,
            "--rollout-image",
            ROLLOUT,
            "--queue",
            queue,
            "--run",
            run,
            "--job",
            job,
            "--checkpoint",
            checkpoint.path,
            "--training-metrics",
            training_metrics.path,
            "--history",
            history.path,
            "--simtrace",
            simtrace.path,
            "--videos",
            videos.path,
            "--summary",
            summary.path,
            "--usage",
            usage.path,
            "--executor-output",
            dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
        ],
    )
