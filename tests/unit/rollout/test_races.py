"""The example races: each is one that its recipe can train."""

import re
from pathlib import Path

import pytest

from kuberacer.formats.race_config import RaceConfig
from kuberacer.rollout.race_rules import scene_of
from kuberacer.sim.track import load_track

ROOT = Path(__file__).parents[3]
RACES = sorted((ROOT / "races").glob("*.yaml"))
README = (ROOT / "races" / "README.md").read_text()


@pytest.mark.parametrize("path", RACES, ids=lambda path: path.stem)
def test_a_race_fits_on_the_track_of_its_recipe(path):
    race = RaceConfig.parse(path.read_text(), "training")
    (row,) = [line for line in README.splitlines() if f"({path.name})" in line]
    recipe = row if "make " in row else README
    assert not race.unused
    for track in re.findall(r"TRACK=(\w+)", recipe):
        scene_of(race).check(load_track(track))
    for reward in re.findall(r"REWARD=(\S+)", recipe):
        assert (ROOT / reward).exists()


def test_what_the_races_are():
    races = {path.stem: RaceConfig.parse(path.read_text(), "training") for path in RACES}
    assert races["object_avoidance"].number_of_obstacles == 6
    assert races["object_avoidance_random"].randomize_obstacle_locations
    assert races["head_to_bot"].number_of_bot_cars == 3
    assert races["domain_randomization"].enable_domain_randomization
