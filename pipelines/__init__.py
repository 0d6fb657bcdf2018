"""The pipelines, a file each, in Kubeflow Pipelines' DSL."""
