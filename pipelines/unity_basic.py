"""Unity Basic: a Unity player, or any Gymnasium environment, with RLlib's PPO: train, freeze, evaluate, publish."""

from kfp import dsl, kubernetes

from components import pools
from components.evaluate_rllib.component import evaluate_rllib
from components.freeze_rllib.component import freeze_rllib
from components.images import UNITY
from components.publish_environment.component import publish_environment
from components.train_rllib.component import train_rllib
from pipelines.race import REDIS_KEY, REDIS_SECRET, with_store


@dsl.pipeline(
    name="unity_basic",
    description="A policy for a Unity player, or for any Gymnasium environment, by RLlib's PPO.",
)
def unity_basic(
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
    episodes: int = 5,
    run: str = "",
):
    """A policy for a Unity player, or for any Gymnasium environment, by RLlib's PPO.

    Args:
        player: The s3:// address of a Unity player for Linux: its executable, an archive, or a folder. Empty: none.
        executable: The player's file, where the folder or archive has several programs. Empty: it is found.
        player_timeout: Seconds that the player may take to start, or to answer a step.
        environment: Instead of a player: a Gymnasium id, or module:Class. Empty: none.
        source: Python source of the module own_environment, which `environment` may then name. Empty: none.
        hyperparameters: JSON to paste, with RLlib's settings: gamma, lr, num_env_runners and others. Empty: none.
        minutes: How long to train, in minutes. 0: until the steps are done.
        steps: After how many environment steps to stop training. 0: no limit.
        rollout_workers: Pods of Ray that play, where the cluster has KubeRay. 0: Ray runs in the stage's own pod.
        seed: Seed of everything that is drawn.
        episodes: Episodes of the evaluation.
        run: Name of the run in the object store; the name of an earlier run continues its training. Empty: a new one.
    """
    job = dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER
    played = {"player": player, "executable": executable, "player_timeout": player_timeout}
    named = {"seed": seed, "run": run, "job": job}
    trained = train_rllib(
        environment=environment,
        source=source,
        hyperparameters=hyperparameters,
        minutes=minutes,
        steps=steps,
        rollout_workers=rollout_workers,
        **played,
        **named,
    )
    pools.players(with_store(trained)).set_env_variable("KUBERACER_IMAGE_UNITY", UNITY)  # which Ray's nodes run, too
    kubernetes.use_secret_as_env(trained, REDIS_SECRET, {REDIS_KEY: "RAY_AUTH_TOKEN"})
    frozen = pools.small(freeze_rllib(checkpoint=trained.outputs["checkpoint"]))
    evaluated = evaluate_rllib(model=frozen.outputs["model"], episodes=episodes, **played, **named)
    pools.small(with_store(evaluated))
    published = publish_environment(
        model=frozen.outputs["model"],
        checkpoint=trained.outputs["checkpoint"],
        checks=frozen.outputs["checks"],
        history=trained.outputs["history"],
        intermediate=trained.outputs["intermediate"],
        reward_plot=trained.outputs["reward_plot"],
        summary=trained.outputs["summary"],
        evaluation_metrics=evaluated.outputs["evaluation_metrics"],
        evaluation_gifs=evaluated.outputs["gifs"],
        train_usage=trained.outputs["usage"],
        freeze_usage=frozen.outputs["usage"],
        evaluate_usage=evaluated.outputs["usage"],
        **named,
    )
    pools.small(with_store(published))
