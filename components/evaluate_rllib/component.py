"""Measure a frozen policy of RLlib's on its Unity player or environment."""

from kfp import dsl

from components.images import UNITY


@dsl.container_component
def evaluate_rllib(
    model: dsl.Input[dsl.Model],
    evaluation_metrics: dsl.Output[dsl.Artifact],
    gifs: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    usage: dsl.Output[dsl.Artifact],
    player: str = "",
    executable: str = "",
    player_timeout: int = 60,
    episodes: int = 5,
    seed: int = 0,
    run: str = "",
    job: str = "",
):
    """Plays so many episodes with the policy's likeliest actions.

    Args:
        model: model.onnx, policy.json, environment.json.
        evaluation_metrics: Returns and lengths of all episodes, their mean, deviation, lowest and highest, as JSON.
        gifs: A folder with episodes.csv, the return and the length of each.
        metrics: The same figures for the pipeline's page.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        player: The s3:// address of the Unity player that it was trained on. Empty: an environment.
        executable: The player's file, where a folder or archive has several programs.
        player_timeout: Seconds that a player may take to start, or to answer a step.
        episodes: Episodes to play.
        seed: Seed of everything that is drawn.
        run: Name of the run, below which the player's log is put into the store. Default: `job`.
        job: What the pipeline's engine calls this run.
    """
    return dsl.ContainerSpec(
        image=UNITY,
        command=["python", "-m", "kuberacer.stages.evaluate_rllib"],
        args=[
            "--model",
            model.path,
            "--player",
            player,
            "--executable",
            executable,
            "--player-timeout",
            player_timeout,
            "--episodes",
            episodes,
            "--seed",
            seed,
            "--run",
            run,
            "--job",
            job,
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
