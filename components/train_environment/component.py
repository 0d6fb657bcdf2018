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
    plots: dsl.Output[dsl.Artifact],
    summary: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    usage: dsl.Output[dsl.Artifact],
    environment: str = "",
    environment_parameters: str = "",
    source: str = "",
    preset: str = "",
    hyperparameters: str = "",
    minutes: float = 0.0,
    steps: int = 0,
    copies: int = 8,
    films: int = 1,
    checkpoint_runid: str = "",
    checkpoint_id: str = "",
    mlflow_experiment: str = "",
    mlflow_tracking_uri: str = "",
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
        plots: A folder with that plot, and with what the environment draws of itself.
        summary: What came of it, as JSON (environment, algorithm, steps, iterations, seconds, best).
        metrics: The same figures for the pipeline's page.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        environment: A short name, a Gymnasium id, or module:Class. Default: the preset's level.
        environment_parameters: JSON, what it is made with, before what the preset says. Default: the preset's.
        source: Python source of the module own_environment. Default: none.
        preset: Python source of an rl_coach preset; RLCOACH_PRESET goes before it.
        hyperparameters: JSON with RLCOACH_PRESET, discount, improve_steps and others. Default: the preset's.
        minutes: How long to train. 0: no limit.
        steps: After how many environment steps to stop. 0: the preset's improve_steps.
        copies: Copies of the environment that are stepped together.
        films: 1 makes a GIF of every iteration that is the best so far. 0: none.
        checkpoint_runid: MLflow run whose checkpoint the training begins with. Default: none.
        checkpoint_id: That checkpoint, as N_Step-M.ckpt.
        mlflow_experiment: MLflow experiment in which the training is kept. Default: none, not in MLflow.
        mlflow_tracking_uri: Where MLflow is. Default: MLFLOW_TRACKING_URI of the step's environment.
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
            "--environment-parameters",
            environment_parameters,
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
            "--checkpoint-runid",
            checkpoint_runid,
            "--checkpoint-id",
            checkpoint_id,
            "--mlflow-experiment",
            mlflow_experiment,
            "--mlflow-tracking-uri",
            mlflow_tracking_uri,
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
            "--plots",
            plots.path,
            "--summary",
            summary.path,
            "--usage",
            usage.path,
            "--executor-output",
            dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
        ],
    )
