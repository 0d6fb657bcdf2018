"""On PYTHONPATH while rl-coach-slim is built: its setup.py asks for a Python version in a form that setuptools no longer reads."""

import setuptools

original_setup = setuptools.setup


def setup(**arguments):
    # Its dependencies are in requirements.lock, at versions that work together today.
    return original_setup(**{**arguments, "python_requires": ">=3.11", "install_requires": []})


setuptools.setup = setup
