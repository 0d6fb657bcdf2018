"""Colours of cars and of things on the road, for videos."""

import re

from kuberacer.sim.scene import CAR_COLORS

Color = tuple[int, int, int]
_HEX = re.compile(r"(?:f1_car_|#)([0-9a-fA-F]{6})")


def car_color(name: str) -> Color:
    """The tone of a CAR_COLOR, of "f1_car_<rrggbb>" or of "#rrggbb"; black, as DeepRacer's, where the name is none."""
    found = _HEX.fullmatch(name)
    if found:
        red, green, blue = bytes.fromhex(found[1])
        return red, green, blue
    return CAR_COLORS.get(name.capitalize(), CAR_COLORS["Black"])


def shade(color: Color, light: float) -> Color:
    """Darker (light < 1) or lighter (towards white)."""
    if light <= 1.0:
        red, green, blue = (round(part * light) for part in color)
    else:
        red, green, blue = (round(part + (255 - part) * (light - 1.0)) for part in color)
    return red, green, blue
