"""Mountain Car: train, freeze, evaluate and publish, on the patient variants or on an environment of one's own."""

from pathlib import Path

from kfp import dsl

from pipelines.environment_stages import train_to_publish

_PRESETS = Path(__file__).parents[1] / "presets" / "environments"
DEFAULT_PRESET = (_PRESETS / "mountain_car_continuous_clipped_ppo.py").read_text(encoding="utf-8")


@dsl.pipeline(
    name="mountain_car",
    description="A policy for Mountain Car, or for any Gymnasium environment: trained, frozen, measured, published.",
)
def mountain_car(
    hyperparameters: str = "",
    preset: str = DEFAULT_PRESET,
    environment: str = "",
    source: str = "",
    minutes: float = 0.0,
    steps: int = 0,
    copies: int = 8,
    seed: int = 0,
    episodes: int = 20,
    films: int = 1,
    mlflow_experiment: str = "",
    mlflow_tracking_uri: str = "",
    run: str = "",
):
    """A policy for Mountain Car, or for any Gymnasium environment.

    Args:
        hyperparameters: JSON to paste: RLCOACH_PRESET, discount, gae_lambda, improve_steps and others. Empty: none.
        preset: Python source of an rl_coach preset, which names the environment; RLCOACH_PRESET goes before it.
        environment: mountain_car, mountain_car_continuous, a Gymnasium id, or module:Class. Empty: the preset's level.
        source: Python source of the module own_environment, which `environment` may then name. Empty: none.
        minutes: How long to train, in minutes. 0: until the steps are done.
        steps: After how many environment steps to stop training. 0: the preset's improve_steps.
        copies: Copies of the environment that are stepped together.
        seed: Seed of everything that is drawn.
        episodes: Episodes of the evaluation; evaluate_steps of the hyperparameters goes before it.
        films: 1 makes a GIF of every iteration that is the best so far. 0: none.
        mlflow_experiment: MLflow experiment in which the training is kept. Empty: not in MLflow.
        mlflow_tracking_uri: Where MLflow is. Empty: MLFLOW_TRACKING_URI of the step's environment.
        run: Name of the run in the object store; the name of an earlier run continues its training. Empty: a new one.
    """
    train_to_publish(
        environment=environment,
        source=source,
        preset=preset,
        hyperparameters=hyperparameters,
        minutes=minutes,
        steps=steps,
        copies=copies,
        films=films,
        seed=seed,
        episodes=episodes,
        mlflow_experiment=mlflow_experiment,
        mlflow_tracking_uri=mlflow_tracking_uri,
        run=run,
    )
