"""What the simulator is told about a race that a YAML describes."""

from typing import Any

from kuberacer.formats.race_config import RaceConfig
from kuberacer.sim.episode import SimConfig
from kuberacer.sim.scene import Bots, Boxes, Scene


def scene_of(race: RaceConfig) -> Scene:
    """The objects, and how many cars share a track."""
    standing = race.is_obstacle_bot_car and race.number_of_obstacles > 0
    boxes = Boxes(
        count=0 if standing else race.number_of_obstacles,
        kind=race.obstacle_type,
        places=() if standing else race.object_positions,
        random=race.randomize_obstacle_locations,
        spacing=race.min_distance_between_obstacles,
    )
    if standing:
        bots = Bots(
            count=race.number_of_obstacles, speed=0.0, places=race.object_positions,
            random=race.randomize_obstacle_locations, spacing=race.min_distance_between_obstacles,
        )  # fmt: skip
    else:
        bots = Bots(
            count=race.number_of_bot_cars,
            speed=race.bot_car_speed,
            random=race.randomize_bot_car_locations,
            spacing=race.min_distance_between_bot_cars,
            lane_change=race.is_lane_change,
            lane_change_every=(race.lower_lane_change_time, race.upper_lane_change_time),
            lane_change_distance=race.lane_change_distance,
        )
    return Scene(boxes, bots, race.together)


def training_rules(race: RaceConfig, **others: Any) -> SimConfig:
    """The episodes of a training. others: fields of SimConfig that the YAML does not speak of."""
    return SimConfig(
        start="advance" if race.change_start_position else "line",
        advance_fraction=race.round_robin_advance_dist,
        start_offset=race.start_position_offset,
        reverse_direction=race.reverse_dir,
        alternate_direction=race.alternate_driving_direction,
        randomization=race.enable_domain_randomization,
        scene=scene_of(race),
        **others,
    )


def lap_rules(race: RaceConfig) -> SimConfig:
    """The deterministic laps that measure a policy in between: the training's race, from places spread over the lap."""
    return SimConfig(
        reverse_direction=race.reverse_dir, randomization=race.enable_domain_randomization, scene=scene_of(race)
    )


def evaluation_rules(race: RaceConfig, **others: Any) -> SimConfig:
    """The trials of an evaluation: from the line. others: as for a training."""
    return SimConfig(
        start="line",
        reverse_direction=race.reverse_dir,
        randomization=race.enable_domain_randomization,
        scene=scene_of(race),
        **others,
    )
