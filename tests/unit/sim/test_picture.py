"""The view from above puts things where they are."""

import numpy as np

from kuberacer.sim.picture import BORDER, CAR, GRASS, ROAD, CarPose, TopView
from kuberacer.sim.track import Track


def ring() -> Track:
    angle = np.linspace(0, 2 * np.pi, 200)
    unit = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    return Track.from_route(np.hstack([3 * unit, 2.5 * unit, 3.5 * unit]), "ring")


def color_at(view: TopView, picture: np.ndarray, x: float, y: float) -> tuple[int, ...]:
    column, row = view.pixels(np.array([x, y])).round().astype(int)
    return tuple(picture[row, column].tolist())


def near(color: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return max(abs(a - b) for a, b in zip(color, wanted, strict=True)) < 30


def test_road_border_grass_and_car_are_where_they_should_be():
    view = TopView(ring(), 800, 600)
    picture = view.frame([CarPose(0.0, 2.8, 0.0)])
    assert picture.shape == (600, 800, 3)
    assert near(color_at(view, picture, 0.0, 0.0), GRASS)
    assert near(color_at(view, picture, 2.75, 0.0), ROAD)
    assert near(color_at(view, picture, -2.5, 0.0), BORDER)
    assert near(color_at(view, picture, 0.0, 2.8), CAR), "y points up"
    assert near(color_at(view, picture, 0.0, -2.8), ROAD)


def test_a_frame_leaves_the_background_as_it_was():
    view = TopView(ring(), 200, 150)
    empty = view.frame().copy()
    view.frame([CarPose(3.0, 0.0, 45.0)])
    assert (view.frame() == empty).all()
