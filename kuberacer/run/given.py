"""What a user gives on the command line, as the pipelines' parameters: files are read here, stages get their texts."""

import contextlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kuberacer.errors import UserError
from kuberacer.formats.race_config import RaceConfig
from kuberacer.formats.race_keys import PARAMETERS
from kuberacer.formats.yaml_input import read_mapping
from kuberacer.run import models
from kuberacer.run.files import must_exist, read_user_file
from kuberacer.run.reward_file import reward_text
from kuberacer.run.rivals import with_addresses, without


def common(
    track: str | None, reward: str | None, requirements: Path | None, allowed_imports: str | None
) -> dict[str, Any]:
    """The parameters that `run` and `validate` share. Files are read here: stages and clusters get their texts."""
    if reward is not None and not reward.startswith("s3://"):
        os.environ["KUBERACER_REWARD_NAME"] = reward  # its text travels on; the errors in it are this file's
        reward = reward_text(Path(reward))
    if track is not None and track.endswith(".npy") and not track.startswith("s3://"):
        must_exist(Path(track), "track")
    return {
        "track": None if track is None else _absolute(track),
        "reward": reward,
        "requirements": text_of(requirements, "requirements"),
        "allowed_imports": allowed_imports,
    }


def races(race: Path | None, evaluation: Path | None, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """The texts of the two YAML files, and the track that they name. parameters: what else was given.

    Raises UserError on a faulty key, and on one that stands for a parameter which was given, too."""
    texts = {"race": text_of(race, "race"), "evaluation": text_of(evaluation, "evaluation")}
    told = RaceConfig.parse(texts["race"] or "", "training")
    # The evaluation's own keys: those of the race are told of already.
    RaceConfig.for_evaluation(texts["race"] or "", texts["evaluation"] or "")
    for what, path in (("race", race), ("evaluation", evaluation)):
        for key in read_mapping(texts[what] or "", what):
            parameter = PARAMETERS.get(key, "")
            if parameter == "track" and what == "evaluation":
                continue  # another track than the training's
            if parameters.get(parameter) is not None:
                option = "--" + parameter.replace("_", "-")
                raise UserError(f"{key} is in {path}, and {option} is given", f"leave out {key} or {option}")
    for what, text in texts.items():
        if text:  # `out/latest` is another run by the time that the store is there
            texts[what] = with_addresses(text, what, lambda folder: str(folder.resolve()))
    if not told.world_name:
        return dict(texts)
    track = told.world_name[0]
    if Path(track).exists():  # it goes into the store; stages elsewhere could not find it
        texts["race"] = without(texts["race"] or "", "race", "WORLD_NAME")
    return {**texts, "track": _absolute(track)}


def best_or_last(which: str | None) -> str | None:
    if which not in (None, "best", "last"):
        raise UserError(f"the checkpoint is {which!r}", "give best or last")
    return which


def pretrained(out: Path, given: str | None, algorithm: str | None, on_cluster: bool) -> dict[str, Any]:
    """The model to begin with, and its algorithm where none was given."""
    if not given:
        return {"pretrained": None}
    model = models.pretrained(out, given, on_cluster)
    return {"pretrained": model, "algorithm": algorithm or models.algorithm_of(model)}


def _absolute(track: str) -> str:
    return str(Path(track).resolve()) if Path(track).exists() else track


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


def hyperparameters(given: str | None) -> dict[str, Any]:
    """A file's text, or JSON as it was pasted. A preset that RLCOACH_PRESET names by its file is read here, too."""
    if given is None:
        return {}
    pasted = given.lstrip().startswith("{")
    text = given if pasted else read_user_file(Path(given), "hyperparameters")
    with contextlib.suppress(ValueError):  # the stage that reads it says what is wrong
        found = json.loads(text)
        if isinstance(found, dict) and Path(file := str(found.get("RLCOACH_PRESET", ""))).suffix == ".py":
            del found["RLCOACH_PRESET"]
            return {"hyperparameters": json.dumps(found), "preset": read_user_file(Path(file), "preset")}
    return {"hyperparameters": text}


def environment(given: str | None) -> dict[str, Any]:
    """The name of an environment; of file.py:Class the file's text goes along, as the module own_environment."""
    file, colon, name = (given or "").rpartition(":")
    if not colon or not file.endswith(".py"):
        return {"environment": given}
    return {"environment": f"own_environment:{name}", "source": read_user_file(Path(file), "environment")}


def unity(player: str | None, executable: str | None, timeout_s: int | None) -> dict[str, Any]:
    """A Unity player: an address, or a path, which goes into the run's store."""
    if player is not None and not player.startswith("s3://"):
        if not Path(player).exists():
            raise UserError(
                f"there is no player {player}", "give the path of a Unity build for Linux, or its s3:// address"
            )
        player = str(Path(player).resolve())
    return {"player": player, "executable": executable, "player_timeout": timeout_s}


def simulator(given: str | None, pipeline: str | None) -> dict[str, Any]:
    """Where a donkey simulator is, as a parameter of the environment; gym-donkeycar's users name it by a variable."""
    if given is None and pipeline == "donkey_cte":
        given = os.environ.get("DONKEY_SIM_PATH")
    if not given:
        return {"environment_parameters": None}
    found = str(Path(given).resolve()) if Path(given).exists() else given
    return {"environment_parameters": json.dumps({"simulator": found})}


def text_of(path: Path | None, what: str) -> str | None:
    return None if path is None else read_user_file(path, what)
