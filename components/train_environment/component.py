"""Train a policy on any Gymnasium environment, with a checkpoint in the object store at every iteration."""

from kfp import dsl

from components.images import RACE, RACE_GPU
from components.pools import trainer_gpus


@dsl.container_component
def train_environment(
    checkpoint: dsl.Output[dsl.Model],
    intermediate: dsl.Output[dsl.Dataset],
    history: dsl.Output[dsl.Dataset],
    reward_plot: dsl.Output[dsl.Artifact],
    summary: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    usage: dsl.Output[dsl.Artifact],
    environment: str = "",
    source: str = "",
    preset: str = "",
    hyperparameters: str = "",
    minutes: float = 0.0,
    steps: int = 0,
    copies: int = 8,
    films: int = 1,
    seed: int = 0,
    run: str = "",
    job: str = "",
):
    """Trains with a preset of rl_coach on copies of an environment, and goes on from the run's last checkpoint.

    Args:
        checkpoint: The best checkpoint (TensorFlow's files, environment.json, preset, hyperparameters).
        intermediate: rl_coach's CSV, and gifs/ of the iterations that were the best so far.
        history: One JSON line an iteration.
        reward_plot: Returns over the environment steps, as PNG.
        summary: What came of it, as JSON (environment, algorithm, steps, iterations, seconds, best).
        metrics: The same figures for the pipeline's page.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        environment: A short name, a Gymnasium id, or module:Class. Default: the preset's level.
        source: Python source of the module own_environment. Default: none.
        preset: Python source of an rl_coach preset; RLCOACH_PRESET goes before it.
        hyperparameters: JSON with RLCOACH_PRESET, discount, improve_steps and others. Default: the preset's.
        minutes: How long to train. 0: no limit.
        steps: After how many environment steps to stop. 0: the preset's improve_steps.
        copies: Copies of the environment that are stepped together.
        films: 1 makes a GIF of every iteration that is the best so far. 0: none.
        seed: Seed of everything that is drawn.
        run: Name of the run, below which checkpoints lie in the store. Default: `job`.
        job: What the pipeline's engine calls this run.
    """
    return dsl.ContainerSpec(
        image=RACE_GPU if trainer_gpus() else RACE,
        command=["python", "-m", "kuberacer.stages.train_environment"],
        args=[
            "--environment",
            environment,
            "--source",
            source,
            "--preset",
            preset,
            "--hyperparameters",
            hyperparameters,
            "--minutes",
            minutes,
            "--steps",
            steps,
            "--copies",
            copies,
            "--films",
            films,
            "--seed",
            seed,
            "--run",
            run,
            "--job",
            job,
            "--checkpoint",
            checkpoint.path,
            "--intermediate",
            intermediate.path,
            "--history",
            history.path,
            "--reward-plot",
            reward_plot.path,
            "--summary",
            summary.path,
            "--usage",
            usage.path,
            "--executor-output",
            dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
        ],
    )
