"""rl_coach on today's TensorFlow: metadata, hyperparameters, presets, learners, frozen graphs."""
