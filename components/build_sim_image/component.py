"""Stage 2: everything that the simulation needs beside KubeRacer itself, in one image or local environment."""

from kfp import dsl

from components.images import RACE


@dsl.container_component
def build_sim_image(
    reward_file: dsl.Input[dsl.Artifact],
    track_file: dsl.Input[dsl.Dataset],
    environment: dsl.Output[dsl.Artifact],
    digest: dsl.OutputPath(str),  # type: ignore[valid-type]
    usage: dsl.Output[dsl.Artifact],
    requirements: str = "",
    race: str = "{}",
    registry: str = "",
    run: str = "",
    job: str = "",
):
    """Puts the user's modules, reward, track and race configuration into one content-addressed image.

    Args:
        reward_file: The reward function's source.
        track_file: The track's route.
        environment: What was built, as JSON (digest, kind, reference, site).
        digest: Digest of the content.
        usage: What this stage took, as JSON (processor seconds, memory, GPUs).
        requirements: pip requirement lines of what the reward function imports.
        race: Race configuration as JSON.
        registry: Where the cluster pushes the image that it builds. Empty: no image is built there.
        run: Name of the run. Default: `job`.
        job: What the pipeline's engine calls this run.
    """
    return dsl.ContainerSpec(
        image=RACE,
        command=["python", "-m", "kuberacer.stages.build_sim_image"],
        args=[
            "--reward-file",
            reward_file.path,
            "--track-file",
            track_file.path,
            "--requirements",
            requirements,
            "--race",
            race,
            "--registry",
            registry,
            "--run",
            run,
            "--job",
            job,
            "--environment",
            environment.path,
            "--digest",
            digest,
            "--usage",
            usage.path,
        ],
    )
