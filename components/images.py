"""The images that the stages run in; of one's own registry with KUBERACER_IMAGES=registry.example/kuberacer."""

import os

from kuberacer import __version__

_REPOSITORY = os.environ.get("KUBERACER_IMAGES", "kuberacer")


def _image(name: str) -> str:
    """KFP's cache keys hold the image's name, not its content: give a tag of its own, or a digest, to an image of
    one's own: KUBERACER_IMAGE_RACE=…@sha256:…"""
    return os.environ.get(f"KUBERACER_IMAGE_{name.replace('-', '_').upper()}", f"{_REPOSITORY}/{name}:{__version__}")


RACE = _image("race")
RACE_GPU = _image("race-gpu")
ROLLOUT = _image("rollout")
UNITY = _image("unity")
TOOLS = _image("tools")
BUILDER = _image("builder")
SERVE = _image("serve")
