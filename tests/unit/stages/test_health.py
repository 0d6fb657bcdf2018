"""The health entry of the images, run as they run it."""

import os
import subprocess
import sys


def health(image: str) -> subprocess.CompletedProcess:
    environment = {**os.environ, "KUBERACER_IMAGE": image}
    return subprocess.run(
        [sys.executable, "-m", "kuberacer.health"], capture_output=True, text=True, env=environment, timeout=120
    )


def test_environment_of_the_race_image_is_well():
    ended = health("race")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("race is well: 5 modules in ")
    assert "kernels loaded for" in ended.stdout


def test_missing_module_is_named():
    ended = health("tools")  # kfp is not for the race environment
    assert ended.returncode == 1
    assert ended.stderr.startswith("error: tools cannot import kfp\nremedy: ")
