"""The images that the stages run in; of one's own registry with KUBERACER_IMAGES=registry.example/kuberacer."""

import os

from kuberacer import __version__

_REPOSITORY = os.environ.get("KUBERACER_IMAGES", "kuberacer")

# KFP's cache keys hold the image's name, not its content: give a tag of its own, or a digest, to an image of one's own.
RACE = os.environ.get("KUBERACER_IMAGE_RACE", f"{_REPOSITORY}/race:{__version__}")
