"""Stage 5: how well the frozen graph drives."""

from kfp import dsl

from components.images import RACE


@dsl.container_component
def evaluate(
    model: dsl.Input[dsl.Model],
    reward_file: dsl.Input[dsl.Artifact],
    environment: dsl.Input[dsl.Artifact],
    track_file: dsl.Input[dsl.Dataset],
    track_name: str,
    evaluation_metrics: dsl.Output[dsl.Artifact],
    simtrace: dsl.Output[dsl.Dataset],
    video: dsl.Output[dsl.Artifact],
    videos: dsl.Output[dsl.Artifact],
    race_result: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    usage: dsl.Output[dsl.Artifact],
    race: str = "",
    evaluation: str = "",
    trials: int = 3,
    off_track_penalty: float = 5.0,
    collision_penalty: float = 5.0,
    resets: int = 10,
    seed: int = 0,
    run: str = "",
    job: str = "",
):
    """Drives laps with the frozen graph, deterministically, with DeepRacer's penalties and resets.

    Args:
        model: The frozen graph.
        reward_file: The reward function, for the trace's reward column.
        environment: What build_sim_image built.
        track_file: The track's route.
        track_name: The track's name.
        evaluation_metrics: DeepRacer's evaluation metrics (JSON).
        simtrace: DeepRacer's sim trace of the evaluation.
        video: The laps, from the car's camera and from above (mp4).
        videos: Three views of every trial (folder of mp4).
        race_result: What came of all cars on all tracks (folder: race_result.json, metrics of each car).
        metrics: The figures for the pipeline's page.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        race: DeepRacer's training YAML. Default: a time trial.
        evaluation: YAML keys that replace those of race. Default: none.
        trials: How many laps.
        off_track_penalty: Seconds added each time the car leaves the track.
        collision_penalty: Seconds added each time the car hits something.
        resets: How often the car may be put back in one lap.
        seed: Seed of everything that is drawn.
        run: Name of the run, below which its checkpoints lie in the store. Default: `job`.
        job: What the pipeline's engine calls this run.
    """
    return dsl.ContainerSpec(
        image=RACE,
        command=["python", "-m", "kuberacer.stages.evaluate"],
        args=[
            "--model",
            model.path,
            "--reward-file",
            reward_file.path,
            "--environment",
            environment.path,
            "--track-file",
            track_file.path,
            "--track-name",
            track_name,
            "--race",
            race,
            "--evaluation",
            evaluation,
            "--trials",
            trials,
            "--off-track-penalty",
            off_track_penalty,
            "--collision-penalty",
            collision_penalty,
            "--resets",
            resets,
            "--seed",
            seed,
            "--run",
            run,
            "--job",
            job,
            "--evaluation-metrics",
            evaluation_metrics.path,
            "--simtrace",
            simtrace.path,
            "--video",
            video.path,
            "--videos",
            videos.path,
            "--race-result",
            race_result.path,
            "--usage",
            usage.path,
            "--executor-output",
            dsl.PIPELINE_TASK_EXECUTOR_OUTPUT_PATH_PLACEHOLDER,
        ],
    )
