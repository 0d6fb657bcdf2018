"""The pipelines' components, a folder a stage."""
