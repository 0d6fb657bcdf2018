"""Train a policy with RLlib on a Unity player or any Gymnasium environment, a checkpoint at every iteration."""

from kfp import dsl

from components.images import UNITY


@dsl.container_component
def train_rllib(
    checkpoint: dsl.Output[dsl.Model],
    intermediate: dsl.Output[dsl.Dataset],
    history: dsl.Output[dsl.Dataset],
    reward_plot: dsl.Output[dsl.Artifact],
    summary: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    usage: dsl.Output[dsl.Artifact],
    player: str = "",
    executable: str = "",
    player_timeout: int = 60,
    environment: str = "",
    source: str = "",
    hyperparameters: str = "",
    minutes: float = 0.0,
    steps: int = 10000,
    rollout_workers: int = 2,
    seed: int = 0,
    run: str = "",
    job: str = "",
):
    """Trains with RLlib's PPO in several processes that play, and goes on from the run's last checkpoint.

    Args:
        checkpoint: The best checkpoint (weights.npz, weights.json, environment.json, hyperparameters.json).
        intermediate: progress.csv with Ray Tune's columns, and episodes.csv.
        history: One JSON line an iteration.
        reward_plot: Returns over the environment steps, as PNG.
        summary: What came of it, as JSON (environment, algorithm, steps, iterations, seconds, best).
        metrics: The same figures for the pipeline's page.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        player: The s3:// address of a Unity player: executable, archive, or folder. Empty: an environment.
        executable: The player's file, where a folder or archive has several programs.
        player_timeout: Seconds that a player may take to start, or to answer a step.
        environment: Instead of a player: a Gymnasium id, or module:Class.
        source: Python source of the module own_environment. Default: none.
        hyperparameters: JSON with RLlib's settings (gamma, lr, num_env_runners …). Default: the walk-through's.
        minutes: How long to train. 0: no limit.
        steps: After how many environment steps to stop. 0: no limit.
        rollout_workers: Nodes of Ray that play, where the cluster has KubeRay. 0: Ray runs in this stage's pod alone.
        seed: Seed of everything that is drawn.
        run: Name of the run, below which checkpoints lie in the store. Default: `job`.
        job: What the pipeline's engine calls this run.
    """
    return dsl.ContainerSpec(
        image=UNITY,
        command=["python", "-m", "kuberacer.stages.train_rllib"],
        args=[
            "--player",
            player,
            "--executable",
            executable,
            "--player-timeout",
            player_timeout,
            "--environment",
            environment,
            "--source",
            source,
            "--hyperparameters",
            hyperparameters,
            "--minutes",
            minutes,
            "--steps",
            steps,
            "--rollout-workers",
            rollout_workers,
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
