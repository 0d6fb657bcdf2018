"""Run the unmodified rl_coach 1.0.1 (2019: TensorFlow 1, gym 0.12) on today's TensorFlow, Gymnasium and NumPy.

Nothing global is patched: modules of rl_coach, and users' presets loaded by `hook.load_source`, get their imports
through `hook.py`, so only they see the old names:

    tensorflow                         tensorflow.compat.v1 with layers and contrib  (tensorflow_names.py)
    gym                                gymnasium behind the 0.12 calls               (gym_names.py)
    collections, distutils, pandas, …  their modern homes, or loaded when used       (small_names.py)
"""
