"""The components by the names of their folders."""

from components.build_sim_image.component import build_sim_image
from components.compare_sweep.component import compare_sweep
from components.evaluate.component import evaluate
from components.evaluate_environment.component import evaluate_environment
from components.evaluate_rllib.component import evaluate_rllib
from components.freeze_graph.component import freeze_graph
from components.freeze_rllib.component import freeze_rllib
from components.plan_sweep.component import plan_sweep
from components.publish.component import publish
from components.publish_environment.component import publish_environment
from components.serve.component import serve
from components.train.component import train
from components.train_environment.component import train_environment
from components.train_rllib.component import train_rllib
from components.validate_reward.component import validate_reward

COMPONENTS = {
    "validate_reward": validate_reward,
    "build_sim_image": build_sim_image,
    "train": train,
    "freeze_graph": freeze_graph,
    "evaluate": evaluate,
    "publish": publish,
    "plan_sweep": plan_sweep,
    "compare_sweep": compare_sweep,
    "train_environment": train_environment,
    "evaluate_environment": evaluate_environment,
    "publish_environment": publish_environment,
    "train_rllib": train_rllib,
    "freeze_rllib": freeze_rllib,
    "evaluate_rllib": evaluate_rllib,
    "serve": serve,
}
