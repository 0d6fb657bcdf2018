"""Turns a pipeline into an Argo WorkflowTemplate that can be applied with kubectl or uploaded in Argo's UI."""

from kuberacer.run.argo.travel import argument_text
from kuberacer.run.argo.workflow import Options, compile_argo, to_yaml, translate, workflow_of

__all__ = ["Options", "argument_text", "compile_argo", "to_yaml", "translate", "workflow_of"]
