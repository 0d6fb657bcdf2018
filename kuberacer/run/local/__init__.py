"""Runs a pipeline on this machine: each step a process in the environment of its image."""

from kuberacer.run.local.environments import Environments
from kuberacer.run.local.runner import LocalRunner, Result, TaskFailed

__all__ = ["Environments", "LocalRunner", "Result", "TaskFailed"]
