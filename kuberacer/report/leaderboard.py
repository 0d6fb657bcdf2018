"""A leaderboard: the models of a bucket or of a folder of runs by what their model cards say, as JSON and as a page.

It is made anew from the cards each time, so that runs which are published at once cannot lose each other's entries.
Cards are other people's texts: what does not read as one is left out and counted.
"""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Self

from kuberacer.report.html import Page

MAX_CARD_BYTES = 4 << 20
MAX_TEXT = 200
ALL = "all"


@dataclass(frozen=True)
class Entry:
    """One model on one track in one race type. Times are simulated seconds, penalties included."""

    leaderboard: str
    racer: str
    model: str  # the run that made it
    track: str
    race_type: str
    laps: int  # completed
    trials: int
    best_lap_s: float | None
    penalty_s: float  # of the best lap; of all trials where none was completed
    resets: int  # the same
    progress: float  # of the best trial, percent
    date: str  # ISO 8601, UTC; "" where the card does not say
    run: str

    def order(self) -> tuple:
        """Less is better: the quickest lap, then fewer penalties, then who had it first; without a lap, by the way."""
        lap = math.inf if self.best_lap_s is None else self.best_lap_s
        return (lap, -self.progress if self.best_lap_s is None else 0.0, self.penalty_s, self.date or "~", self.run)


@dataclass(frozen=True)
class Board:
    """Entries by rank, for each (race type, track). skipped: cards that could not be read."""

    name: str  # "": of all leaderboards
    tables: dict[tuple[str, str], list[Entry]]
    skipped: int = 0

    @classmethod
    def of(cls, cards: Iterable[bytes], name: str = "") -> Self:
        """cards: model cards as JSON; name: only entries of this leaderboard."""
        entries, skipped = [], 0
        for text in cards:
            try:
                entries += entries_of(json.loads(text))
            except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
                skipped += 1
        tables: dict[tuple[str, str], list[Entry]] = {}
        for entry in sorted(entries, key=lambda e: (e.race_type, e.track, e.order())):
            if name in ("", entry.leaderboard):
                tables.setdefault((entry.race_type, entry.track), []).append(entry)
        return cls(name, tables, skipped)

    def to_json(self) -> str:
        entries = [
            {"rank": rank, **asdict(entry)} for entries in self.tables.values() for rank, entry in enumerate(entries, 1)
        ]
        return json.dumps({"leaderboard": self.name, "entries": entries, "skipped": self.skipped}, indent=1) + "\n"

    def to_html(self) -> str:
        entries = [entry for table in self.tables.values() for entry in table]
        laps = [(entry.best_lap_s, entry.racer, entry.track) for entry in entries if entry.best_lap_s is not None]
        tiles = [
            (str(len({entry.run for entry in entries})), "models"),
            (str(len({entry.racer for entry in entries})), "racers"),
            (str(len(self.tables)), "races"),
        ]
        if laps:
            seconds, racer, track = min(laps)
            tiles.append((f"{seconds:.3f} s", f"quickest lap, {racer} on {track}"))
        shown = [(f"{label(kind)} on {track}", HEADER, rows(table)) for (kind, track), table in self.tables.items()]
        left_out = f" · {self.skipped} model cards could not be read" if self.skipped else ""
        return Page(
            title=f"Leaderboard {self.name}" if self.name else "Leaderboard",
            subtitle=f"Best lap with penalties, from the model cards of {tiles[0][0]} runs{left_out}",
            tiles=tiles,
            tables=shown or [("No entries", ["nothing was published here yet"], [])],
        ).render()


HEADER = ["rank", "racer", "model", "best lap", "penalties", "laps", "race", "track", "date", "run"]


def rows(entries: list[Entry]) -> list[list[str]]:
    """Under HEADER."""
    return [
        [
            str(rank),
            entry.racer,
            entry.model,
            f"{entry.progress:.0f} % of the lap" if entry.best_lap_s is None else f"{entry.best_lap_s:.3f} s",
            f"{entry.penalty_s:.1f} s" + (f", resets: {entry.resets}" if entry.resets else ""),
            f"{entry.laps} of {entry.trials}",
            label(entry.race_type),
            entry.track,
            entry.date.replace("T", " ").removesuffix("+00:00"),
            entry.run,
        ]
        for rank, entry in enumerate(entries, 1)
    ]


def label(race_type: str) -> str:
    return race_type.replace("_", " ").capitalize() if race_type != "F1" else race_type


def entries_of(card: dict[str, Any]) -> list[Entry]:
    """A model card's entries, one a track. Raises ValueError, KeyError or TypeError for what is no card."""
    run = _text(card["run"])
    results = card.get("evaluations")
    if results is None:  # a card of before there were races
        found = card["results"]
        results = [
            {
                "track": card["track"]["name"], "race_type": "TIME_TRIAL", "laps_completed": found["laps_completed"],
                "trials": found["trials"], "best_lap_s": found["best_lap_s"], "penalty_s": 0.0, "resets": 0,
                "progress": 100.0 if found["laps_completed"] else 0.0,
            }
        ]  # fmt: skip
    board = card.get("leaderboard", {})
    return [
        Entry(
            leaderboard=_text(board.get("name", "")),
            racer=_text(board.get("racer") or run),
            model=_text(card.get("model") or run),
            track=_text(result["track"]),
            race_type=_text(result["race_type"]),
            laps=int(result["laps_completed"]),
            trials=int(result["trials"]),
            best_lap_s=None if result["best_lap_s"] is None else _seconds(result["best_lap_s"]),
            penalty_s=_seconds(result["penalty_s"]),
            resets=int(result["resets"]),
            progress=_seconds(result["progress"]),
            date=_text(card.get("published_at", "")),
            run=run,
        )
        for result in results
    ]


def slug(name: str) -> str:
    """A leaderboard's name as part of a key or a file's name; different names stay different."""
    if not name:
        return ALL
    plain = re.sub(r"[^A-Za-z0-9._-]+", lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), name)
    return f"%{plain}" if plain in (ALL, ".", "..") else plain


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r:.40} is no text")
    return "".join(c for c in value if c.isprintable())[:MAX_TEXT]


def _seconds(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or number < 0 or isinstance(value, str | bool):
        raise ValueError(f"{value!r:.40} is no duration")
    return number
