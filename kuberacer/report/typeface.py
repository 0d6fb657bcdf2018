"""Text in videos, in the typeface that comes with matplotlib; its digits are equally wide: times stand still."""

from functools import lru_cache
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from PIL import Image, ImageDraw, ImageFont

from kuberacer.report.paint import Color

Font = ImageFont.FreeTypeFont
RIM: Color = (16, 20, 26)
LONGEST = 300  # letters of a name: more fit no video, and would only cost time


@lru_cache(maxsize=16)
def font(size: int, bold: bool = False) -> Font:
    name = "DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf"
    return ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / name), size)


@lru_cache(maxsize=2048)
def lettering(text: str, size: int, color: Color, bold: bool = False, rim: int = 0) -> np.ndarray:
    """A stencil (h, w, 4) for film_kernels.stamp: as high as the typeface, as wide as the text, with a dark rim."""
    face = font(size, bold)
    ascent, descent = face.getmetrics()
    shape = (max(round(face.getlength(text)), 1) + 2 * rim, ascent + descent + 2 * rim)
    image = Image.new("RGBA", shape, (*(RIM if rim else color), 0))
    ImageDraw.Draw(image).text((rim, rim), text, fill=color, font=face, stroke_width=rim, stroke_fill=RIM)
    return np.asarray(image)


def fitted(text: str, width: int, face: Font) -> str:
    """The text, cut and with an ellipsis where it is wider than `width` pixels; on one line."""
    text = " ".join(text[:LONGEST].split())
    if face.getlength(text) <= width:
        return text
    while text and face.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def clock(seconds: float) -> str:
    """m:ss.mmm"""
    milliseconds = round(1000 * seconds)
    return f"{milliseconds // 60_000}:{milliseconds // 1000 % 60:02}.{milliseconds % 1000:03}"
