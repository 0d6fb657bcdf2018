"""The stages of a pipeline on any environment with presets of rl_coach: train, freeze, evaluate, publish."""

from kfp import dsl

from components import pools
from components.evaluate_environment.component import evaluate_environment
from components.freeze_graph.component import freeze_graph
from components.publish_environment.component import publish_environment
from components.train_environment.component import train_environment
from pipelines.race import with_store


def train_to_publish(*, episodes, hyperparameters, seed, run, **training) -> None:
    """training: further arguments of train_environment. To be called inside a pipeline."""
    job = dsl.PIPELINE_JOB_RESOURCE_NAME_PLACEHOLDER
    trained = with_store(train_environment(hyperparameters=hyperparameters, seed=seed, run=run, job=job, **training))
    pools.trainer(trained)
    frozen = pools.small(freeze_graph(checkpoint=trained.outputs["checkpoint"]))
    evaluated = evaluate_environment(
        model=frozen.outputs["model"], episodes=episodes, hyperparameters=hyperparameters, seed=seed
    )
    pools.small(evaluated)
    published = with_store(
        publish_environment(
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
            seed=seed,
            run=run,
            job=job,
        )
    )
    pools.small(published)
