"""Play a frozen policy on its environment."""

from kfp import dsl

from components.images import RACE


@dsl.container_component
def evaluate_environment(
    model: dsl.Input[dsl.Model],
    evaluation_metrics: dsl.Output[dsl.Artifact],
    gifs: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    usage: dsl.Output[dsl.Artifact],
    episodes: int = 20,
    hyperparameters: str = "",
    seed: int = 0,
):
    """Plays whole episodes without exploration, and films one.

    Args:
        model: The frozen graph and environment.json.
        evaluation_metrics: Returns and lengths of the episodes, their mean and spread, as JSON.
        gifs: A film of one episode, where the environment draws pictures.
        metrics: The same figures for the pipeline's page.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        episodes: How many to play.
        hyperparameters: JSON whose evaluate_steps goes before `episodes`.
        seed: Seed of the episodes' starts.
    """
    return dsl.ContainerSpec(
        image=RACE,
        command=["python", "-m", "kuberacer.stages.evaluate_environment"],
        args=[
            "--model",
            model.path,
            "--episodes",
            episodes,
            "--hyperparameters",
            hyperparameters,
            "--seed",
            seed,
            "--evaluation-metrics",
            evaluation_metrics.path,
            "--gifs",
            gifs.path,
            "--usage",
            usage.path,
            "--executor-output",
            dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
        ],
    )
