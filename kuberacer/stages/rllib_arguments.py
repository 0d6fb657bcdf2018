"""What the stages with RLlib have in common: how they are told what is played."""

import argparse
from pathlib import Path

from kuberacer.errors import UserError
from kuberacer.rllib.playing import Playing


def add_playing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--player", default="", help="Unity player: s3:// address or path of executable, archive, folder"
    )
    parser.add_argument("--executable", default="", help="the player's file, where a folder or archive has several")
    parser.add_argument(
        "--player-timeout", type=int, default=60, help="seconds for its start, and for a step (%(default)s)"
    )


def playing_of(options: argparse.Namespace, environment: str, source: str, folder: Path) -> Playing:
    """folder: for the player's files and logs. Raises UserError where it is not said what is played."""
    if bool(environment) == bool(options.player):
        raise UserError(
            "both an environment and a player are given" if environment else "nothing is given to be played",
            "give UNITY_PLAYER=path or s3://… for a Unity player, or ENVIRONMENT=id or module:Class",
        )
    if not 1 <= options.player_timeout <= 3600:
        raise UserError(f"player_timeout is {options.player_timeout}", "give it as a whole number from 1 to 3600")
    return Playing(
        environment=environment,
        source=source,
        player=options.player,
        executable=options.executable,
        folder=str(folder),
        run=options.run,
        timeout_s=options.player_timeout,
        seed=options.seed,
    )
