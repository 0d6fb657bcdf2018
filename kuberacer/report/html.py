"""The report: one HTML file that opens offline, everything in it, light and dark, from a phone's width up."""

import base64
import html
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

TEMPLATE = Path(__file__).with_name("report.html")
VIDEO_LIMIT = 24 << 20  # bytes; a longer video stays beside the report
LONG_WORD = 24  # letters
WIDE = 7  # columns; a table of more goes over the page's whole width


@dataclass
class Page:
    """What the report shows. figures: (title, caption, PNG bytes), or a section that is HTML already; tables: (title,
    header, rows)."""

    title: str
    subtitle: str
    tiles: list[tuple[str, str]]  # (value, what it is)
    figures: Sequence[tuple[str, str, bytes] | str] = field(default_factory=list)
    tables: list[tuple[str, list[str], list[list[str]]]] = field(default_factory=list)
    texts: list[tuple[str, str]] = field(default_factory=list)  # (title, preformatted text)
    video: bytes | None = None

    def render(self) -> str:
        parts = [_tiles(self.tiles)]
        if self.video is not None and len(self.video) <= VIDEO_LIMIT:
            parts.append(_video(self.video))
        parts += [entry if isinstance(entry, str) else _figure(*entry) for entry in self.figures]
        parts += [_table(*entry) for entry in self.tables]
        parts += [_text(*entry) for entry in self.texts]
        return Template(TEMPLATE.read_text(encoding="utf-8")).substitute(
            title=html.escape(self.title), subtitle=html.escape(self.subtitle), content="\n".join(parts)
        )


def data_address(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _tiles(tiles: list[tuple[str, str]]) -> str:
    cells = "".join(
        f"<div class='tile'><b>{html.escape(value)}</b><span>{html.escape(name)}</span></div>" for value, name in tiles
    )
    return f"<section class='tiles'>{cells}</section>"


def _video(data: bytes) -> str:
    address = data_address("video/mp4", data)
    return (
        "<section class='wide'><h2>Evaluation</h2>"
        f"<video controls muted playsinline preload='metadata' src='{address}'></video></section>"
    )


def _figure(title: str, caption: str, picture: bytes) -> str:
    name = html.escape(title)
    image = f"<img alt='{name}' src='{data_address('image/png', picture)}'>"
    caption = f"<figcaption>{html.escape(caption)}</figcaption>"
    return f"<section><h2>{name}</h2><figure tabindex='0'>{image}{caption}</figure></section>"


def _table(title: str, header: list[str], rows: list[list[str]]) -> str:
    head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
    body = "".join("<tr>" + "".join(map(_cell, row)) + "</tr>" for row in rows)
    section = "<section class='wide'>" if len(header) > WIDE else "<section>"
    return (
        f"{section}<h2>{html.escape(title)}</h2>"
        f"<div class='scroll' tabindex='0' role='region' aria-label='{html.escape(title)}'><table>"
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div></section>"
    )


def _cell(text: str) -> str:
    """Words stay whole but for those that no phone is wide enough for."""
    kind = " class='long'" if max(map(len, text.split()), default=0) > LONG_WORD else ""
    return f"<td{kind}>{html.escape(text)}</td>"


def _text(title: str, text: str) -> str:
    return f"<section><h2>{html.escape(title)}</h2><pre>{html.escape(text)}</pre></section>"
