"""The donkey car, by the cross-track error: train with soft actor-critic, freeze, evaluate and publish."""

from pathlib import Path

from kfp import dsl

from pipelines.environment_stages import train_to_publish

_PRESETS = Path(__file__).parents[1] / "presets" / "environments"
DEFAULT_PRESET = (_PRESETS / "donkey_sac.py").read_text(encoding="utf-8")


@dsl.pipeline(
    name="donkey_cte",
    description="A policy that keeps a donkey car on its road: trained by the cross-track error, measured, published.",
)
def donkey_cte(
    hyperparameters: str = "",
    preset: str = DEFAULT_PRESET,
    environment: str = "",
    environment_parameters: str = "",
    source: str = "",
    minutes: float = 0.0,
    steps: int = 0,
    copies: int = 8,
    seed: int = 0,
    episodes: int = 5,
    films: int = 1,
    checkpoint_runid: str = "",
    checkpoint_id: str = "",
    mlflow_experiment: str = "rl_reward_cte",
    mlflow_tracking_uri: str = "",
    run: str = "",
):
    """A policy that keeps a donkey car on its road.

    Args:
        hyperparameters: JSON to paste: improve_steps, heatup_steps, evaluation_steps, num_training_per_episode,
            throttle, max_cte, scale_cte_reward, crash_reward and others of the preset. Empty: the preset's own.
        preset: Python source of an rl_coach preset, which names the environment; RLCOACH_PRESET goes before it.
        environment: donkey_car, or own_environment:Class of `source`. Empty: the preset's level.
        environment_parameters: JSON, as {"simulator": "0.0.0.0:9091"} for a donkey simulator. Empty: our own road.
        source: Python source of the module own_environment, with a reward of your own, say. Empty: none.
        minutes: How long to train, in minutes. 0: until the steps are done.
        steps: After how many environment steps to stop training. 0: the preset's improve_steps.
        copies: Cars that are stepped together; a simulator that is connected has one.
        seed: Seed of everything that is drawn.
        episodes: Episodes of the evaluation, each of evaluation_steps.
        films: 1 makes a GIF of every iteration that is the best so far. 0: none.
        checkpoint_runid: MLflow run whose checkpoint the training begins with. Empty: none.
        checkpoint_id: That checkpoint, as 18_Step-200000.ckpt.
        mlflow_experiment: MLflow experiment in which the training is kept. Empty: not in MLflow.
        mlflow_tracking_uri: Where MLflow is. Empty: MLFLOW_TRACKING_URI of the step's environment; without that, not.
        run: Name of the run in the object store; the name of an earlier run continues its training. Empty: a new one.
    """
    train_to_publish(
        environment=environment,
        environment_parameters=environment_parameters,
        source=source,
        preset=preset,
        hyperparameters=hyperparameters,
        minutes=minutes,
        steps=steps,
        copies=copies,
        films=films,
        checkpoint_runid=checkpoint_runid,
        checkpoint_id=checkpoint_id,
        mlflow_experiment=mlflow_experiment,
        mlflow_tracking_uri=mlflow_tracking_uri,
        seed=seed,
        episodes=episodes,
        run=run,
    )
