"""Stage 1: does the reward function do what a reward function must, on this track?"""

from kfp import dsl

from components.images import RACE


@dsl.container_component
def validate_reward(
    reward: str,
    track: str,
    reward_file: dsl.Output[dsl.Artifact],
    track_file: dsl.Output[dsl.Dataset],
    track_name: dsl.OutputPath(str),  # type: ignore[valid-type]
    reward_map: dsl.Output[dsl.HTML],
    reward_map_png: dsl.Output[dsl.Artifact],
    usage: dsl.Output[dsl.Artifact],
    race: str = "",
    evaluation: str = "",
    allowed_imports: str = "",
    requirements: str = "",
):
    """Checks a reward function in a child process with limits and draws the reward over the track.

    Args:
        reward: Python source of the reward function, a reward.yaml (another language), or the s3:// address of one.
        track: Name of one of KubeRacer's own tracks, or the s3:// address of a DeepRacer route file (.npy).
        reward_file: The reward function: Python source, or a reward.json with all of its files.
        track_file: The track's route (.npy, N×6).
        track_name: The track's name.
        reward_map: The reward over the track, as a page.
        reward_map_png: The same as a picture.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        race: DeepRacer's training YAML; it is checked with the track. Default: a time trial.
        evaluation: YAML keys that replace those of race in the evaluation. Default: none.
        allowed_imports: More modules that the function may import, separated by commas.
        requirements: pip requirement lines of what the function imports.
    """
    return dsl.ContainerSpec(
        image=RACE,
        command=["python", "-m", "kuberacer.stages.validate_reward"],
        args=[
            "--reward",
            reward,
            "--track",
            track,
            "--race",
            race,
            "--evaluation",
            evaluation,
            "--allowed-imports",
            allowed_imports,
            "--requirements",
            requirements,
            "--reward-file",
            reward_file.path,
            "--track-file",
            track_file.path,
            "--track-name",
            track_name,
            "--reward-map",
            reward_map.path,
            "--reward-map-png",
            reward_map_png.path,
            "--usage",
            usage.path,
        ],
    )
