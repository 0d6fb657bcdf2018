"""Draws out/driving/*.jsonl: python -m tests.bench.driving_curves [--output docs/images/driving.png]

Left: the best completed lap against the time-optimal one of the track, for trainings at up to 4 m/s. Right: trials
completed without leaving the track or a collision, in worlds that the training has not seen. Over the steps played.
"""

import argparse
import json
from pathlib import Path

from kuberacer.report.style import BLUE, GREEN, GREY, ORANGE, RED, figure
from tests.bench.driving import FOLDER, ROOT

COLORS = (BLUE, ORANGE, GREEN, RED, GREY, "#CC79A7")


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def draw(paths: list[Path], output: Path) -> None:
    picture, (laps, trials) = figure(10.0, 3.8, ncols=2)
    for number, path in enumerate(paths):
        case, track, seed = path.stem.split("-")
        rows, color = rows_of(path), COLORS[number % len(COLORS)]
        label = f"{case}, {track}, seed {seed}"
        if case == "fast":
            done = [row for row in rows if row["best_lap_ratio"]]
            ratios = [row["best_lap_ratio"] for row in done]
            laps.step([row["steps"] for row in done], ratios, where="post", marker=".", color=color, label=label)
        else:
            tried = [row for row in rows if "unseen_laps" in row]
            shares = [100 * row["unseen_laps"] / row["unseen_of"] for row in tried]
            trials.plot([row["steps"] for row in tried], shares, marker=".", color=color, label=label)
    for ratio in (1.15, 1.5):
        laps.axhline(ratio, color=GREY, linewidth=0.8, linestyle="--")
    laps.set_ylabel("best lap / time-optimal lap")
    trials.set_ylabel("completed trials, %")
    trials.set_ylim(0, 103)
    for panel in (laps, trials):
        panel.set_xlabel("steps played")
        if panel.get_legend_handles_labels()[0]:
            panel.legend(fontsize=8)
    picture.savefig(output, dpi=90)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=ROOT / "docs" / "images" / "driving.png")
    options = parser.parse_args()
    draw(sorted(FOLDER.glob("*.jsonl")), options.output)
    print(options.output)


if __name__ == "__main__":
    main()
