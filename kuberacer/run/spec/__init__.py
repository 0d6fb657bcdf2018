"""KFP's pipeline spec (the compiler's YAML) read into a small typed model that local runs and translators stand on."""

from kuberacer.run.spec.model import Pipeline
from kuberacer.run.spec.reader import read_pipeline

__all__ = ["Pipeline", "read_pipeline"]
