"""The view from above: the whole track, the ways driven so far, cars with their names, things on the road."""

import numpy as np

from kuberacer.report.chase_camera import HEIGHT, JUMP, WIDTH
from kuberacer.report.ground import LINE_WIDTH, finish_line
from kuberacer.report.paint import Color, car_color, shade
from kuberacer.report.recording import Recording
from kuberacer.report.things import body_middle, present, shape_of
from kuberacer.report.typeface import fitted, font, lettering
from kuberacer.sim.film_kernels import fill_quads, stamp
from kuberacer.sim.picture import TopView

SMALLEST_CAR = 20.0  # px long; on a long track cars are drawn larger than they are, or nobody would see them
CAR_LENGTH = 0.324  # m
TRAIL_WIDTH, TRAIL_SHARE = 2.0, 0.75  # px, opacity
NAME_WIDTH, NAME_AWAY = 130, 2  # px
DARK = 90  # a way in a colour darker than this could not be told from the road
# A car from above, m ahead and left of its middle: body, cabin, window, with the colour's light.
PARTS = (
    (0.0, 0.162, 0.098, 1.0),
    (0.050, 0.022, 0.078, 0.25),
    (-0.060, 0.070, 0.070, 1.25),
)
OUTLINE = (0.0, 0.186, 0.122)


class BirdView:
    """Frames of one recording, in their order: ways are drawn on as they are driven."""

    def __init__(self, recording: Recording):
        self.recording = recording
        self.view = TopView(recording.track, WIDTH, HEIGHT)
        self.enlarged = max(1.0, SMALLEST_CAR / (CAR_LENGTH * self.view.scale))
        self.ground = np.array(self.view.background)
        self._finish()
        self.colors = [car_color(name) for name in recording.colors]
        self.middles = np.stack(body_middle(recording.cars), axis=-1)
        self.labels = [_label(name) for name in recording.names]
        self.drawn = 0

    def frame(self, step: int) -> np.ndarray:
        """(HEIGHT, WIDTH, 3) uint8."""
        for past in range(self.drawn + 1, step + 1):
            self._trail(past)
        self.drawn = max(self.drawn, step)
        picture = self.ground.copy()
        self._things(picture, step)
        heading = np.deg2rad(self.recording.cars["heading"][step])
        for i, color in enumerate(self.colors):
            self._car(picture, self.middles[step, i], float(heading[i]), color)
        self._names(picture, step)
        return picture

    def _names(self, picture: np.ndarray, step: int) -> None:
        """Above the cars, or below where another name is in the way."""
        away = self.enlarged * CAR_LENGTH / 2 * self.view.scale + NAME_AWAY
        taken: list[tuple[int, int, int, int]] = []
        for i, label in enumerate(self.labels):
            column, row = self.view.pixels(self.middles[step, i])
            height, width = label.shape[:2]
            left = min(max(round(column - width / 2), 0), WIDTH - width)
            above, below = round(row - away) - height, round(row + away)
            free = above >= 0 and not any(
                left < right and left + width > other and above < bottom and above + height > top
                for other, top, right, bottom in taken
            )
            top = above if free else min(below, HEIGHT - height)
            stamp(picture, label, left, top)
            taken.append((left, top, left + width, top + height))

    def _quad(self, outline: np.ndarray) -> np.ndarray:
        return self.view.pixels(outline)[None]

    def _finish(self) -> None:
        inner, outer = self.recording.track.inner[0], self.recording.track.outer[0]
        edge = (outer - inner) * LINE_WIDTH / max(float(np.hypot(*(outer - inner))), LINE_WIDTH)
        for outline, color in finish_line(inner + edge, outer - edge):
            fill_quads(self.ground, self._quad(outline), np.array([[*color, 1.0]]))

    def _trail(self, step: int) -> None:
        """The way of all cars in one step, for good."""
        for i, color in enumerate(self.colors):
            way = self.middles[step - 1 : step + 1, i]
            if 0 < np.hypot(*(way[1] - way[0])) < JUMP:
                start, end = self.view.pixels(way)
                along = (end - start) / np.hypot(*(end - start))
                across = np.array([-along[1], along[0]]) * TRAIL_WIDTH / 2
                quad = np.array([start - across, start + across, end + across, end - across])
                light = shade(color, 1.6) if max(color) < DARK else color
                fill_quads(self.ground, quad[None], np.array([[*light, TRAIL_SHARE]]))

    def _things(self, picture: np.ndarray, step: int) -> None:
        for one in present(self.recording, step):
            shape = shape_of(one)
            for part in np.argsort(shape.layers, kind="stable"):
                outline = _turned(shape.corners[part, 4:, :2], float(one["heading"]))
                outline += np.array([one["x"], one["y"]])
                fill_quads(picture, self._quad(outline), np.array([[*shape.colors[part], 1.0]]))

    def _car(self, picture: np.ndarray, middle: np.ndarray, heading: float, color: Color) -> None:
        def fill(ahead: float, half_length: float, half_width: float, tone: Color) -> None:
            flat = np.array([[1, 1], [-1, 1], [-1, -1], [1, -1]]) * [half_length, half_width] + [ahead, 0.0]
            outline = _turned(flat * self.enlarged, heading) + middle
            fill_quads(picture, self._quad(outline), np.array([[*tone, 1.0]]))

        fill(*OUTLINE, (250, 250, 250))
        for ahead, half_length, half_width, light in PARTS:
            fill(ahead, half_length, half_width, shade(color, light))


def _turned(flat: np.ndarray, heading: float) -> np.ndarray:
    cos, sin = np.cos(heading), np.sin(heading)
    return flat @ np.array([[cos, sin], [-sin, cos]])


def _label(name: str) -> np.ndarray:
    return lettering(fitted(name, NAME_WIDTH, font(12, bold=True)), 12, (250, 250, 250), bold=True, rim=2)
