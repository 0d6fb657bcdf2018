"""Any Gymnasium environment, and Unity players, with RLlib's PPO: in the environment `unity`, without TensorFlow."""
