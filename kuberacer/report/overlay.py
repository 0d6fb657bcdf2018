"""What the overlaid video tells: who drives, for which leaderboard, lap and times, progress, speed, resets, penalties,
the other racers, and what the car's camera sees."""

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from kuberacer.formats.status import LABELS
from kuberacer.report.chase_camera import HEIGHT, WIDTH
from kuberacer.report.paint import Color, car_color
from kuberacer.report.recording import Recording
from kuberacer.report.typeface import clock, fitted, font, lettering
from kuberacer.sim.episode import STATUS_NAMES
from kuberacer.sim.film_kernels import stamp

PANEL, LABEL, VALUE, ACCENT, ALERT = (14, 18, 24), (172, 182, 194), (246, 248, 250), (250, 166, 42), (255, 112, 100)
GOOD, BAD, RAIL = (46, 158, 84), (214, 52, 46), (66, 74, 84)
OPACITY = 190  # of 255
EDGE = 14  # px between what is shown and the picture's border
HEADER, FOOTER = 54, 26  # px high
COLUMNS = (388, 508, WIDTH - EDGE)  # right ends of lap, lap time, total
STATS = (WIDTH - EDGE - 262, HEIGHT - FOOTER - 10 - 46, WIDTH - EDGE, HEIGHT - FOOTER - 10)
STAT_COLUMNS = (STATS[0] + 88, STATS[0] + 156, STATS[2] - 10)
INSET, STEREO_INSET = (160, 120), (120, 90)
BAR = (EDGE, HEIGHT - 17, WIDTH - EDGE - 80, HEIGHT - 9)
BANNER_STEPS, BANNER_HEIGHT = 20, 34
STANDINGS, ROW = 196, 22  # px: width of the standings, height of a line


class Overlay:
    """Of one recording, for the car that is followed."""

    def __init__(self, recording: Recording, car: int = 0):
        self.recording, self.car, self.color = recording, car, car_color(recording.colors[car])
        self.banners = banners(recording, car)
        still = np.asarray(self._draw_still())
        self.bands = [(top, still[top:bottom]) for top, bottom in ((0, HEADER), (STATS[1], HEIGHT))]
        self.table = np.full((ROW * len(recording.names) + 8, STANDINGS, 4), (*PANEL, OPACITY), np.uint8)
        self.chips = [_chip(car_color(color), 7, 14) for color in recording.colors]
        self.rail = _rounded(BAR[2] - BAR[0], BAR[3] - BAR[1], 4, ACCENT)
        self.knob = _rounded(14, 14, 7, self.color, VALUE)

    def draw(self, picture: np.ndarray, step: int) -> np.ndarray:
        """A copy of the picture (HEIGHT, WIDTH, 3) uint8 with the overlay of this step."""
        picture, cars = picture.copy(), self.recording.cars[step]
        for top, band in self.bands:
            stamp(picture, band, 0, top)
        self._numbers(picture, cars[self.car])
        self._inset(picture, self.recording.camera[step])
        if len(cars) > 1:
            self._standings(picture, cars)
        event = self.banners[step]
        if event is not None:
            self._banner(picture, *event)
        return picture

    def _draw_still(self) -> Image.Image:
        """All that does not change, RGBA."""
        image = Image.new("RGBA", (WIDTH, HEIGHT), (*PANEL, 0))
        draw = ImageDraw.Draw(image)
        glass = (*PANEL, OPACITY)
        draw.rectangle((0, 0, WIDTH, HEADER - 1), fill=glass)
        draw.rectangle((0, HEIGHT - FOOTER, WIDTH, HEIGHT), fill=glass)
        draw.rounded_rectangle(STATS, 6, fill=glass)
        draw.rounded_rectangle((EDGE, 9, EDGE + 9, 44), 3, fill=self.color, outline=VALUE)
        room = COLUMNS[0] - 80 - EDGE
        name, board = font(19, bold=True), font(12)
        title = fitted(self.recording.names[self.car], room, name)
        under = self.recording.leaderboard or self.recording.race_type.replace("_", " ").capitalize()
        draw.text((EDGE + 20, 6), title, fill=VALUE, font=name)
        draw.text((EDGE + 20, 31), fitted(under, room, board), fill=LABEL, font=board)
        for x, text in zip(COLUMNS, ("LAP", "LAP TIME", "TOTAL"), strict=True):
            draw.text((x, 9), text, fill=LABEL, font=font(10), anchor="ra")
        for x, text in zip(STAT_COLUMNS, ("SPEED", "RESETS", "PENALTIES"), strict=True):
            draw.text((x, STATS[1] + 6), text, fill=LABEL, font=font(10), anchor="ra")
        draw.rounded_rectangle((BAR[0], BAR[1], BAR[2] - 1, BAR[3] - 1), 4, fill=RAIL)
        return image

    def _numbers(self, picture: np.ndarray, car: np.void) -> None:
        lap = f"{min(int(car['lap']), self.recording.laps)}/{self.recording.laps}"
        for x, text in zip(COLUMNS, (lap, clock(car["lap_time"]), clock(car["total_time"])), strict=True):
            _write(picture, text, (x, 23), 17, VALUE, bold=True, right=True)
        stats = (f"{car['speed']:.1f} m/s", f"{car['resets']}", f"+{car['penalty']:.1f} s")
        colors = (VALUE, ALERT if car["resets"] else VALUE, ALERT if car["penalty"] > 0 else VALUE)
        for x, text, color in zip(STAT_COLUMNS, stats, colors, strict=True):
            _write(picture, text, (x, STATS[1] + 20), 15, color, bold=True, right=True)
        share = min(max(float(car["progress"]) / 100, 0.0), 1.0)
        at = round(share * (BAR[2] - BAR[0]))
        stamp(picture, self.rail[:, :at], *BAR[:2])
        stamp(picture, self.knob, BAR[0] + at - 7, BAR[1] - 3)
        _write(picture, f"{100 * share:.1f} %", (WIDTH - EDGE, HEIGHT - 21), 13, VALUE, bold=True, right=True)

    def _inset(self, picture: np.ndarray, camera: np.ndarray) -> None:
        """What the car's camera sees, camera (n, views, 120, 160): two views side by side are a stereo pair."""
        if self.car >= len(camera):
            return
        views = camera[self.car]
        size = INSET if len(views) == 1 else STEREO_INSET
        top, left = HEIGHT - FOOTER - 10 - size[1], EDGE
        picture[top - 2 : top + size[1] + 2, left - 2 : left + len(views) * (size[0] + 2)] = VALUE
        for view in views:
            small = np.asarray(Image.fromarray(view).resize(size, Image.Resampling.BILINEAR))
            picture[top : top + size[1], left : left + size[0]] = small[..., None]
            left += size[0] + 2

    def _standings(self, picture: np.ndarray, cars: np.ndarray) -> None:
        """All racers, the leader first."""
        names, top = self.recording.names, HEADER + 10
        stamp(picture, self.table, EDGE, top)
        for place, i in enumerate(standings(cars)):
            y, mine = top + 7 + ROW * place, i == self.car
            stamp(picture, self.chips[i], EDGE + 26, y + 1)
            _write(picture, f"{place + 1}", (EDGE + 10, y), 12, LABEL)
            _write(picture, fitted(names[i], 92, font(12, bold=mine)), (EDGE + 40, y), 12, VALUE, bold=mine)
            text = f"{cars['lap'][i]} · {cars['progress'][i]:.0f} %"
            _write(picture, text, (EDGE + STANDINGS - 8, y), 12, LABEL, right=True)

    def _banner(self, picture: np.ndarray, text: str, good: bool) -> None:
        words = lettering(text, 18, VALUE, bold=True)
        height, width = BANNER_HEIGHT, words.shape[1] + 36
        free = EDGE + STANDINGS if len(self.recording.names) > 1 else 0
        left, top = (free + WIDTH - width) // 2, HEADER + 12
        stamp(picture, _rounded(width, height, 8, GOOD if good else BAD), left, top)
        stamp(picture, words, left + 18, top + (height - words.shape[0]) // 2)


def _write(
    picture: np.ndarray,
    text: str,
    place: tuple[int, int],
    size: int,
    color: Color,
    bold: bool = False,
    right: bool = False,
) -> None:
    """With its left (or right) upper corner at `place` (column, row)."""
    words = lettering(text, size, color, bold)
    stamp(picture, words, place[0] - right * words.shape[1], place[1])


@lru_cache(maxsize=64)
def _rounded(width: int, height: int, radius: int, color: Color, outline: Color | None = None) -> np.ndarray:
    """A stencil, drawn large and halved twice for smooth corners."""
    image = Image.new("RGBA", (4 * width, 4 * height), (*(outline or color), 0))
    area = (0, 0, 4 * width - 1, 4 * height - 1)
    ImageDraw.Draw(image).rounded_rectangle(area, 4 * radius, fill=color, outline=outline, width=8 if outline else 0)
    return np.asarray(image.reduce(4))


def _chip(color: Color, width: int, height: int) -> np.ndarray:
    return _rounded(width, height, 2, color, VALUE)


def standings(cars: np.ndarray) -> list[int]:
    """Cars (n,) of CAR in the order of what they have driven, the leader first."""
    return sorted(range(len(cars)), key=lambda i: (-cars["lap"][i], -cars["progress"][i], cars["total_time"][i], i))


def banners(recording: Recording, car: int) -> list[tuple[str, bool] | None]:
    """What is called out at each step, and whether it is good news: an event stays for BANNER_STEPS, or as long as the
    car stands for its penalty."""
    rows = recording.cars[:, car]
    shown: list[tuple[str, bool] | None] = [None] * len(rows)
    for step in range(len(rows)):
        event = _event(rows, step)
        if event is not None:
            last = min(max(step + BANNER_STEPS, _penalty_ends(rows, step)), len(rows))
            shown[step:last] = [event] * (last - step)
    return shown


def _event(rows: np.ndarray, step: int) -> tuple[str, bool] | None:
    if step and rows["lap"][step] > rows["lap"][step - 1]:
        return f"LAP {rows['lap'][step - 1]} COMPLETE", True
    name = STATUS_NAMES[rows["status"][step]]
    if name == "in_progress" or not _counts(rows, step):
        return None
    penalty = rows["penalty"][_penalty_ends(rows, step) - 1] - rows["penalty"][max(step - 1, 0)]
    text = LABELS[name].upper() + (f"  +{penalty:.1f} s" if penalty > 0 else "")
    return text, name == "lap_complete"


def _counts(rows: np.ndarray, step: int) -> bool:
    """Whether a status has a consequence: the end, a reset or a new episode. A car that stands for its penalty is not
    immobilized."""
    if step + 1 == len(rows):
        return True
    here, after = rows[step], rows[step + 1]
    return bool(after["resets"] > here["resets"] or after["total_time"] < here["total_time"])


def _penalty_ends(rows: np.ndarray, step: int) -> int:
    """The first step at which what an incident at `step` costs is no longer growing."""
    penalty, end = rows["penalty"], step + 1
    while end < len(rows) and (penalty[end] > penalty[end - 1] or end == step + 1):
        end += 1
    return end
