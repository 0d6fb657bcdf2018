"""What the command line makes of the two YAML files of a race."""

from pathlib import Path

import pytest

from kuberacer.errors import UserError
from kuberacer.formats.race_config import RaceConfig
from kuberacer.run import given


def write(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_the_texts_travel_and_the_track_is_that_of_the_race(tmp_path: Path) -> None:
    race = write(tmp_path, "race.yaml", "RACE_TYPE: HEAD_TO_BOT\nWORLD_NAME: hairpin\n")
    evaluation = write(tmp_path, "evaluation.yaml", "WORLD_NAME: [kidney, hairpin]\nNUMBER_OF_TRIALS: 5\n")
    found = given.races(race, evaluation, {"track": None, "trials": None, "minutes": 2})
    assert found == {"race": race.read_text(), "evaluation": evaluation.read_text(), "track": "hairpin"}


def test_no_files_give_nothing() -> None:
    assert given.races(None, None, {"track": "kidney", "trials": 3}) == {"race": None, "evaluation": None}


@pytest.mark.parametrize(
    ("key", "parameter", "option"),
    [
        ("WORLD_NAME: kidney", "track", "--track"),
        ("NUMBER_OF_TRIALS: 3", "trials", "--trials"),
        ("NUMBER_OF_RESETS: 3", "resets", "--resets"),
        ("OFF_TRACK_PENALTY: 3", "off_track_penalty", "--off-track-penalty"),
        ("COLLISION_PENALTY: 3", "collision_penalty", "--collision-penalty"),
    ],
)
def test_a_key_that_is_given_as_a_parameter_too_is_an_error(tmp_path: Path, key, parameter, option) -> None:
    race = write(tmp_path, "race.yaml", key)
    with pytest.raises(UserError) as caught:
        given.races(race, None, {parameter: 0})
    assert key.partition(":")[0] in caught.value.cause
    assert option in caught.value.cause
    if parameter != "track":
        with pytest.raises(UserError):
            given.races(None, race, {parameter: 1})


def test_another_track_in_the_evaluation_is_none(tmp_path: Path) -> None:
    evaluation = write(tmp_path, "evaluation.yaml", "WORLD_NAME: kidney")
    assert "track" not in given.races(None, evaluation, {"track": "hairpin"})


def test_a_fault_is_found_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="NUMBER_OF_OBSTACLE"):
        given.races(write(tmp_path, "race.yaml", "NUMBER_OF_OBSTACLE: 3"), None, {})
    with pytest.raises(UserError, match="race"):
        given.races(tmp_path / "absent.yaml", None, {})


def test_a_rival_of_this_machine_is_the_run_that_the_link_points_to_now(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "out" / "monday").mkdir(parents=True)
    (tmp_path / "out" / "latest").symlink_to("monday")
    text = "RACE_TYPE: HEAD_TO_MODEL\nMODEL_S3_PREFIX: [mine, out/latest]\n"
    found = given.races(write(tmp_path, "race.yaml", text), None, {})["race"]
    assert RaceConfig.parse(found, "training").cars[1].address == str(tmp_path / "out" / "monday")


def test_a_track_of_this_machine_is_a_parameter_and_no_longer_in_the_yaml(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.npy").write_bytes(b"")
    found = given.races(write(tmp_path, "race.yaml", "WORLD_NAME: mine.npy\nREVERSE_DIR: true\n"), None, {})
    assert found["track"] == str(tmp_path / "mine.npy")
    race = RaceConfig.parse(found["race"], "training")
    assert (race.world_name, race.reverse_dir) == ((), True)
    assert given.races(write(tmp_path, "race.yaml", "WORLD_NAME: mine.npy"), None, {})["race"] == ""
