"""rl_coach on today's TensorFlow: metadata, hyperparameters, presets, learners, frozen graphs.

`build.build_agent` makes an agent. metadata.py and hyperparameters.py need no TensorFlow.
"""

from kuberacer.coach.compat.hook import install

install()  # before any module here imports rl_coach
