"""Any Gymnasium environment, and Unity players, with RLlib's PPO: in the environment `unity`, without TensorFlow."""

import os
import secrets

# Ray reads these when it is imported.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would tell its makers
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")  # and says so at length
os.environ.setdefault("RAY_worker_niceness", "0")  # 15 of Ray's: the trainer waits for those that play
# Who reaches Ray's ports may run code. On a cluster the token comes from a secret; else Ray would write one into $HOME.
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
