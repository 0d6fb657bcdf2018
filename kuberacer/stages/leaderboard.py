"""Leaderboard: the models of a bucket, or of a folder of runs, in the order of their best laps: JSON and a page."""

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kuberacer.errors import run_main
from kuberacer.formats.write import write_atomically
from kuberacer.report.leaderboard import MAX_CARD_BYTES, Board, rows, slug
from kuberacer.settings import StoreSettings
from kuberacer.stages.arguments import stage_parser
from kuberacer.store.client import NotFoundError, ObjectStore

CARD = "model_card.json"
PREFIX = "leaderboards"
AT_ONCE = 8
ROUNDS = 20


def main() -> None:
    options = arguments()
    if options.runs is None:
        store = ObjectStore(StoreSettings.from_environment())
        (board,) = update(store, options.name)
        place = store.address(f"{PREFIX}/{slug(options.name)}/")
    else:
        board = Board.of(cards_of_folder(options.runs), options.name)
        place = str(options.runs)
    if options.output:
        write_atomically(options.output / "leaderboard.json", board.to_json())
        write_atomically(options.output / "leaderboard.html", board.to_html())
    for (race_type, track), entries in board.tables.items():
        print(f"{race_type} on {track}")
        for row in rows(entries)[:10]:
            print(f"  {row[0]:>3}. {row[3]:<18} {row[1]:<24} {row[-1]}")
    if not board.tables:
        print(f"no published models in {place}" + (f" on a leaderboard {options.name!r}" if options.name else ""))
    if options.output:
        print(f"leaderboard: {options.output / 'leaderboard.html'}", flush=True)


def update(store: ObjectStore, *names: str) -> list[Board]:
    """Make leaderboards anew from the bucket's cards and put them there.

    Whoever writes looks again: of two that are published at once, the one that wrote last has seen both cards.
    """
    written: list[str] = []
    for _ in range(ROUNDS):
        cards = list(cards_of(store))
        boards = [Board.of(cards, name) for name in names]
        texts = [board.to_json() for board in boards]
        if texts == written:
            break
        for board, text in zip(boards, texts, strict=True):
            place = f"{PREFIX}/{slug(board.name)}/leaderboard"
            store.put_bytes(f"{place}.json", text.encode(), "application/json")
            store.put_bytes(f"{place}.html", board.to_html().encode(), "text/html; charset=utf-8")
        written = texts
    return boards


def cards_of(store: ObjectStore) -> Iterator[bytes]:
    """The model cards of all runs in the bucket."""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for text in pool.map(lambda run: _card(store, f"{run}/{CARD}"), store.folders()):
            if text is not None:
                yield text


def _card(store: ObjectStore, key: str) -> bytes | None:
    try:
        size = store.size(key)
        if size is None:
            return None
        return store.get_bytes(key) if size <= MAX_CARD_BYTES else b""
    except NotFoundError:  # it is being removed
        return None


def cards_of_folder(runs: Path) -> Iterator[bytes]:
    """The model cards of the runs in a folder, each in the run's own."""
    for path in sorted(runs.glob(f"*/{CARD}")):
        if not path.parent.is_symlink():  # `latest`
            yield path.read_bytes() if path.stat().st_size <= MAX_CARD_BYTES else b""


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "leaderboard", __doc__ or "", "python -m kuberacer.stages.leaderboard --runs out --output out/leaderboard"
    )
    parser.add_argument("--name", default="", help="LEADERBOARD_NAME of the runs to show (default: all runs)")
    parser.add_argument("--runs", type=Path, help="folder of runs (default: the bucket of the object store)")
    parser.add_argument("--output", type=Path, metavar="OUTPUT", help="folder: leaderboard.json and leaderboard.html")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
