"""The trials of a sweep: every setting with every seed."""

from kfp import dsl

from components.images import RACE


@dsl.container_component
def plan_sweep(
    seeds: list,
    settings: dict,
    trials: dsl.OutputPath(list),  # type: ignore[valid-type]
    usage: dsl.Output[dsl.Artifact],
    algorithm: str = "clipped_ppo",
    run: str = "",
    job: str = "",
):
    """Crosses seeds with settings, and checks every setting before anything is trained.

    Args:
        seeds: Whole numbers.
        settings: Names and their hyperparameters, as hyperparameters.json has them.
        trials: One entry a trial: name, setting, seed, hyperparameters (JSON text), run.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        algorithm: clipped_ppo, sac or dqn.
        run: Name of the sweep. Default: `job`.
        job: What the pipeline's engine calls this run.
    """
    return dsl.ContainerSpec(
        image=RACE,
        command=["python", "-m", "kuberacer.stages.plan_sweep"],
        args=[
            "--seeds",
            seeds,
            "--settings",
            settings,
            "--algorithm",
            algorithm,
            "--run",
            run,
            "--job",
            job,
            "--trials",
            trials,
            "--usage",
            usage.path,
        ],
    )
