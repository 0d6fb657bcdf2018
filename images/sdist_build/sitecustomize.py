"""On PYTHONPATH while rl-coach-slim is built: its setup.py names its Python versions in a form no longer read."""

import setuptools

original_setup = setuptools.setup


def setup(**arguments):
    # Its dependencies are in requirements.lock, at versions that work together today.
    return original_setup(**{**arguments, "python_requires": ">=3.11", "install_requires": []})


setuptools.setup = setup
