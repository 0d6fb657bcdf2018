"""KubeRacer: from a reward function to a car that drives itself."""

__version__ = "0.1.0"
