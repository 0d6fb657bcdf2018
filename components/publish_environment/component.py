"""The model folder with policy.json, the model card and output.tar.gz, all of it also into the object store."""

from kfp import dsl

from components.images import RACE


@dsl.container_component
def publish_environment(
    model: dsl.Input[dsl.Model],
    checkpoint: dsl.Input[dsl.Model],
    checks: dsl.Input[dsl.Artifact],
    history: dsl.Input[dsl.Dataset],
    intermediate: dsl.Input[dsl.Dataset],
    reward_plot: dsl.Input[dsl.Artifact],
    summary: dsl.Input[dsl.Artifact],
    evaluation_metrics: dsl.Input[dsl.Artifact],
    evaluation_gifs: dsl.Input[dsl.Artifact],
    train_usage: dsl.Input[dsl.Artifact],
    freeze_usage: dsl.Input[dsl.Artifact],
    evaluate_usage: dsl.Input[dsl.Artifact],
    model_folder: dsl.Output[dsl.Model],
    model_card: dsl.Output[dsl.Markdown],
    model_card_json: dsl.Output[dsl.Artifact],
    output: dsl.Output[dsl.Artifact],
    usage: dsl.Output[dsl.Artifact],
    seed: int = 0,
    run: str = "",
    job: str = "",
):
    """Packs what the run made for servers and for people, and uploads it below the run's name.

    Args:
        model: The frozen graph, environment.json and policy.json.
        checkpoint: The checkpoint that it came from.
        checks: How it did in three runtimes.
        history: One JSON line an iteration.
        intermediate: rl_coach's CSV and gifs of the training.
        reward_plot: Returns over the environment steps, as PNG.
        summary: What came of the training.
        evaluation_metrics: What came of the evaluation.
        evaluation_gifs: A film of one of its episodes.
        train_usage: What train_environment took.
        freeze_usage: What freeze_graph took.
        evaluate_usage: What evaluate_environment took.
        model_folder: Checkpoint, frozen graph, environment.json, and policy.json with examples.
        model_card: What made this policy, for people.
        model_card_json: The same for programs.
        output: output.tar.gz with data/checkpoint and intermediate.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        seed: The seed that was given.
        run: Name of the run, below which everything is uploaded. Default: `job`.
        job: What the pipeline's engine calls this run.
    """
    return dsl.ContainerSpec(
        image=RACE,
        command=["python", "-m", "kuberacer.stages.publish_environment"],
        args=[
            "--model",
            model.path,
            "--checkpoint",
            checkpoint.path,
            "--checks",
            checks.path,
            "--history",
            history.path,
            "--intermediate",
            intermediate.path,
            "--reward-plot",
            reward_plot.path,
            "--summary",
            summary.path,
            "--evaluation-metrics",
            evaluation_metrics.path,
            "--evaluation-gifs",
            evaluation_gifs.path,
            "--took",
            train_usage.path,
            "--took",
            freeze_usage.path,
            "--took",
            evaluate_usage.path,
            "--seed",
            seed,
            "--run",
            run,
            "--job",
            job,
            "--model-folder",
            model_folder.path,
            "--model-card",
            model_card.path,
            "--model-card-json",
            model_card_json.path,
            "--output",
            output.path,
            "--usage",
            usage.path,
        ],
    )
