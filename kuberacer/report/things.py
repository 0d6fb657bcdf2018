"""The cars and things of a recording as they are drawn: where their middles are, their sizes and colours."""

import numpy as np

from kuberacer.report.paint import Color, car_color
from kuberacer.report.recording import Recording
from kuberacer.report.solids import Shape, Solid
from kuberacer.sim.scene import KINDS

AHEAD_OF_MIDDLE = 0.058  # m: x, y lie 0.14 m ahead of the rear axle, the body's middle 0.082 m
BOT_COLOR: Color = (196, 204, 60)
# Box and tape.
BOXES: dict[str, tuple[Color, Color]] = {
    "box_obstacle": ((198, 160, 112), (150, 112, 70)),
    "deepracer_box_obstacle": ((112, 84, 168), (240, 240, 244)),
    "amazon_box_obstacle": ((206, 164, 108), (38, 46, 58)),
}


def body_middle(cars: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """x, y of the bodies' middles (…) of cars (…) of CAR: a recording has a point in front of them."""
    angle = np.deg2rad(cars["heading"])
    return cars["x"] - AHEAD_OF_MIDDLE * np.cos(angle), cars["y"] - AHEAD_OF_MIDDLE * np.sin(angle)


def solids(recording: Recording, step: int) -> list[Solid]:
    """Everything that stands on the road at a step."""
    cars = recording.cars[step]
    found = [
        Solid(float(x), float(y), float(np.deg2rad(heading)), Shape.car(car_color(color)))
        for x, y, heading, color in zip(*body_middle(cars), cars["heading"], recording.colors, strict=True)
    ]
    return found + [thing(one) for one in present(recording, step)]


def present(recording: Recording, step: int) -> np.ndarray:
    """The boxes and bots that are on the track at a step, of OBJECT."""
    objects = recording.objects[step]
    return objects[objects["kind"] >= 0] if len(objects) else objects


def thing(one: np.void) -> Solid:
    """A box or a bot, of the simulator's OBJECT."""
    return Solid(float(one["x"]), float(one["y"]), float(one["heading"]), shape_of(one))


def shape_of(one: np.void) -> Shape:
    kind = KINDS[one["kind"]]
    if kind not in BOXES:
        return Shape.car(BOT_COLOR)
    sizes = (float(one["half_length"]), float(one["half_width"]), float(one["height"]))
    return Shape.box(*sizes, *BOXES[kind])
