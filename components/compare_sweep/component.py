"""The end of a sweep: what its trials say of the settings."""

from kfp import dsl

from components.images import RACE


@dsl.container_component
def compare_sweep(
    trials: list,
    table: dsl.Output[dsl.Markdown],
    page: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    usage: dsl.Output[dsl.Artifact],
    run: str = "",
    job: str = "",
):
    """Compares the trials by what they kept in the object store: means over the seeds with confidence intervals.

    Args:
        trials: What plan_sweep made.
        table: One row a setting, the best first.
        page: The table and the learning curves in one page that opens offline.
        summary: The same for programs, JSON.
        metrics: How many trials there were and how many completed a lap.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        run: Name of the sweep. Default: `job`.
        job: What the pipeline's engine calls this run.
    """
    return dsl.ContainerSpec(
        image=RACE,
        command=["python", "-m", "kuberacer.stages.compare_sweep"],
        args=[
            "--trials",
            trials,
            "--run",
            run,
            "--job",
            job,
            "--table",
            table.path,
            "--page",
            page.path,
            "--summary",
            summary.path,
            "--usage",
            usage.path,
            "--executor-output",
            dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
        ],
    )
