"""For all tests: a busy machine is no fault of an example."""

from hypothesis import settings

settings.register_profile("kuberacer", deadline=None)
settings.load_profile("kuberacer")
