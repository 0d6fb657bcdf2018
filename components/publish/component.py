"""Stage 6: the car's archive, DeepRacer's model folder, the report and the model card."""

from kfp import dsl

from components.images import RACE


@dsl.container_component
def publish(
    model: dsl.Input[dsl.Model],
    checkpoint: dsl.Input[dsl.Model],
    checks: dsl.Input[dsl.Artifact],
    reward_file: dsl.Input[dsl.Artifact],
    track_file: dsl.Input[dsl.Dataset],
    track_name: str,
    training_metrics: dsl.Input[dsl.Artifact],
    history: dsl.Input[dsl.Dataset],
    summary: dsl.Input[dsl.Artifact],
    training_simtrace: dsl.Input[dsl.Dataset],
    evaluation_metrics: dsl.Input[dsl.Artifact],
    evaluation_simtrace: dsl.Input[dsl.Dataset],
    video: dsl.Input[dsl.Artifact],
    videos: dsl.Input[dsl.Artifact],
    race_result: dsl.Input[dsl.Artifact],
    reward_map_png: dsl.Input[dsl.Artifact],
    environment: dsl.Input[dsl.Artifact],
    validate_usage: dsl.Input[dsl.Artifact],
    build_usage: dsl.Input[dsl.Artifact],
    train_usage: dsl.Input[dsl.Artifact],
    freeze_usage: dsl.Input[dsl.Artifact],
    evaluate_usage: dsl.Input[dsl.Artifact],
    archive: dsl.Output[dsl.Model],
    model_folder: dsl.Output[dsl.Model],
    report: dsl.Output[dsl.HTML],
    model_card: dsl.Output[dsl.Markdown],
    model_card_json: dsl.Output[dsl.Artifact],
    usage: dsl.Output[dsl.Artifact],
    race: str = "",
    evaluation: str = "",
    seed: int = 0,
    run: str = "",
    job: str = "",
):
    """Packs what the run made for the car, for DeepRacer's tools and for people, and uploads it below the run's name.

    Args:
        model: The frozen graph.
        checkpoint: The checkpoint that it came from.
        checks: How it did in three runtimes.
        reward_file: The reward function's source.
        track_file: The track's route.
        track_name: The track's name.
        training_metrics: DeepRacer's TrainingMetrics.json.
        history: One JSON line an iteration.
        summary: What came of the training.
        training_simtrace: Sim traces of the training.
        evaluation_metrics: DeepRacer's evaluation metrics.
        evaluation_simtrace: Sim trace of the evaluation.
        video: The laps of the evaluation.
        videos: Three views of every trial of the evaluation.
        race_result: What came of the evaluation's cars on its tracks.
        reward_map_png: The reward over the track.
        environment: What build_sim_image built.
        validate_usage: What validate_reward took.
        build_usage: What build_sim_image took.
        train_usage: What train took.
        freeze_usage: What freeze_graph took.
        evaluate_usage: What evaluate took.
        archive: model.tar.gz for the car.
        model_folder: The model folder under DeepRacer's bucket layout.
        report: Plots and figures in one page that opens offline.
        model_card: What made this model, for people.
        model_card_json: The same for programs.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        race: DeepRacer's training YAML that was given.
        evaluation: YAML keys for the evaluation that were given.
        seed: The seed that was given.
        run: Name of the run, below which everything is uploaded. Default: `job`.
        job: What the pipeline's engine calls this run.
    """
    return dsl.ContainerSpec(
        image=RACE,
        command=["python", "-m", "kuberacer.stages.publish"],
        args=[
            "--model",
            model.path,
            "--checkpoint",
            checkpoint.path,
            "--checks",
            checks.path,
            "--reward-file",
            reward_file.path,
            "--track-file",
            track_file.path,
            "--track-name",
            track_name,
            "--training-metrics",
            training_metrics.path,
            "--history",
            history.path,
            "--summary",
            summary.path,
            "--training-simtrace",
            training_simtrace.path,
            "--evaluation-metrics",
            evaluation_metrics.path,
            "--evaluation-simtrace",
            evaluation_simtrace.path,
            "--video",
            video.path,
            "--videos",
            videos.path,
            "--race-result",
            race_result.path,
            "--reward-map-png",
            reward_map_png.path,
            "--environment",
            environment.path,
            "--took",
            validate_usage.path,
            "--took",
            build_usage.path,
            "--took",
            train_usage.path,
            "--took",
            freeze_usage.path,
            "--took",
            evaluate_usage.path,
            "--race",
            race,
            "--evaluation",
            evaluation,
            "--seed",
            seed,
            "--run",
            run,
            "--job",
            job,
            "--archive",
            archive.path,
            "--model-folder",
            model_folder.path,
            "--report",
            report.path,
            "--model-card",
            model_card.path,
            "--model-card-json",
            model_card_json.path,
            "--usage",
            usage.path,
        ],
    )
