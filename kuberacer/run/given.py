"""What a user gives on the command line, as the pipelines' parameters: files are read here, stages get their texts."""

import json
import os
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.run.files import must_exist, read_user_file


def common(
    track: str | None, reward: str | None, requirements: Path | None, allowed_imports: str | None
) -> dict[str, Any]:
    """The parameters that `run` and `validate` share. Files are read here: stages and clusters get their texts."""
    if reward is not None and not reward.startswith("s3://"):
        os.environ["KUBERACER_REWARD_NAME"] = reward  # its text travels on; the errors in it are this file's
        reward = read_user_file(Path(reward), "reward")
    if track is not None and track.endswith(".npy") and not track.startswith("s3://"):
        must_exist(Path(track), "track")
    if track is not None and Path(track).exists():
        track = str(Path(track).resolve())
    return {
        "track": track,
        "reward": reward,
        "requirements": text_of(requirements, "requirements"),
        "allowed_imports": allowed_imports,
    }


def numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise UserError(f"--seeds is {text!r}", "give whole numbers, separated by commas: 0,1,2") from None


def json_of(path: Path) -> Any:
    try:
        return json.loads(read_user_file(path, "settings"))
    except ValueError as error:
        raise UserError(
            f"{path} is not JSON: {error}", 'write for example {"default": {}, "slow": {"lr": 0.0001}}'
        ) from None


def text_of(path: Path | None, what: str) -> str | None:
    return None if path is None else read_user_file(path, what)
