"""Which nodes a stage's pod goes to, and what it asks of them.

Fixed when the pipeline is compiled, from the environment: Kubeflow Pipelines takes node selectors and tolerations as
constants only. The gpu overlay of manifests/ says which pool the rollout workers go to.

KUBERACER_TRAINER_GPUS           GPUs of the trainer, 0: none
KUBERACER_TRAINER_GPU_RESOURCE   what the nodes call them (nvidia.com/gpu)
KUBERACER_TRAINER_NODE_SELECTOR  label=value, separated by commas
KUBERACER_TRAINER_TOLERATIONS    key[=value][:effect], separated by commas
KUBERACER_KEEP_GRAPHS            every so many-th frozen graph of a training is kept
"""

import os

from kfp import dsl, kubernetes

from kuberacer.errors import UserError

# (cpu request, memory request, memory limit); the peak of the default run is 2.3 GiB, in the trainer.
_SMALL = ("250m", "512Mi", "4Gi")
_TRAINER = ("500m", "3Gi", "12Gi")  # the learner takes every core that is free
_PLAYERS = ("1", "4Gi", "12Gi")  # RLlib's learner, and 1 GiB for each process that plays


def small(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """A stage that any node can run."""
    return _asks(task, *_SMALL)


def players(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """A stage of RLlib's that plays in several processes."""
    return _asks(task, *_PLAYERS)


def trainer(task: dsl.PipelineTask) -> dsl.PipelineTask:
    """The stage that learns: on the GPU pool when there is one."""
    _asks(task, *_TRAINER)
    if graphs := os.environ.get("KUBERACER_KEEP_GRAPHS"):
        task.set_env_variable("KUBERACER_KEEP_GRAPHS", graphs)
    gpus = trainer_gpus()
    if gpus:
        task.set_accelerator_type(os.environ.get("KUBERACER_TRAINER_GPU_RESOURCE", "nvidia.com/gpu"))
        task.set_accelerator_limit(gpus)
        task.set_env_variable("KUBERACER_GPUS", str(gpus))  # so that the trainer can say when it sees none
    for label in _items("KUBERACER_TRAINER_NODE_SELECTOR"):
        key, equals, value = label.partition("=")
        if not equals:
            raise UserError(
                f"KUBERACER_TRAINER_NODE_SELECTOR: {label!r} is no label=value", "write for example pool=gpu"
            )
        kubernetes.add_node_selector(task, key, value)
    for written in _items("KUBERACER_TRAINER_TOLERATIONS"):
        taint, _, effect = written.partition(":")
        key, equals, value = taint.partition("=")
        operator = "Equal" if equals else "Exists"
        kubernetes.add_toleration(task, key, operator, value or None, effect or None)
    return task


def trainer_gpus() -> int:
    written = os.environ.get("KUBERACER_TRAINER_GPUS", "0")
    if not written.isdigit():
        raise UserError(f"KUBERACER_TRAINER_GPUS is {written!r}", "give a number, 0 for none")
    return int(written)


def _asks(task: dsl.PipelineTask, cpu: str, memory: str, memory_limit: str) -> dsl.PipelineTask:
    return task.set_cpu_request(cpu).set_memory_request(memory).set_memory_limit(memory_limit)


def _items(name: str) -> list[str]:
    return [item.strip() for item in os.environ.get(name, "").split(",") if item.strip()]
