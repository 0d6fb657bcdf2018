"""`make bench`: every figure of this folder's benchmarks in one flat file, out/bench.json."""

import argparse
import importlib
import json
import time
from pathlib import Path

PARTS = {  # modules of this folder, each imported when its turn comes: one alone needs TensorFlow
    "simulator": "bench_simulator",
    "reward": "bench_reward",
    "learning": "bench_learning_loop",
    "rollouts": "bench_rollouts",
    "videos": "bench_videos",
    "watch": "bench_watch",
    "driving": "driving",
}
LONG = ("driving",)  # an hour and more: only when asked for


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument(
        "--only",
        choices=PARTS,
        nargs="+",
        default=[name for name in PARTS if name not in LONG],
        help="these parts (default: all but driving)",
    )
    parser.add_argument("--output", type=Path, default=Path("out/bench.json"))
    options = parser.parse_args()
    figures = json.loads(options.output.read_text()) if options.output.exists() else {}
    for name in options.only:
        clock = time.monotonic()
        print(f"{name} …", flush=True)
        figures.update(importlib.import_module(f"tests.bench.{PARTS[name]}").figures())
        print(f"{name}: {time.monotonic() - clock:.0f} s", flush=True)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(figures, indent=1, sort_keys=True) + "\n")
    for key, value in sorted(figures.items()):
        print(f"{key:<44} {value:,.2f}")


if __name__ == "__main__":
    main()
