"""Runs on a cluster: Kubeflow Pipelines and Argo Workflows behind one interface."""
