"""Seeds × tracks with the pipeline's defaults: laps, time to the first lap, whole time, peak memory.

python -m tests.bench.learning [--tracks a b c] [--seeds 0 1 2] [--algorithm sac] [--minutes 20]
Writes out/bench-learning.json. One whole pipeline after another, each as a user would start it; rows that the file
already has are kept.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

COLUMNS = ("track", "algorithm", "seed", "laps", "best_lap_s", "first_lap_s", "wall_s", "steps", "peak_gib")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", nargs="+", default=["kidney", "hairpin", "chicane"], help="names or route files")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--algorithm", default="clipped_ppo")
    parser.add_argument("--minutes", type=float, help="of training a run (default: the pipeline's)")
    parser.add_argument("--output", type=Path, default=Path("out/bench-learning.json"))
    return parser.parse_args()


def run_pipeline(track: str, seed: int, algorithm: str, minutes: float | None) -> dict:
    """One whole pipeline as a process; returns a row of the table."""
    command = [str(Path(sys.executable).with_name("kuberacer")), "run", "--track", track, "--seed", str(seed)]
    command += ["--algorithm", algorithm] + (["--minutes", str(minutes)] if minutes else [])
    clock = time.monotonic()
    status = subprocess.run(command).returncode
    wall = time.monotonic() - clock
    run = json.loads(Path("out/latest/run.json").read_text())
    return {
        "track": Path(track).stem,
        "algorithm": algorithm,
        "seed": seed,
        "status": status,
        "laps": f"{run.get('laps_completed')}/{run.get('trials')}",
        "best_lap_s": run.get("best_lap_s"),
        "first_lap_s": run.get("first_lap_s"),
        "wall_s": round(wall, 1),
        "steps": run.get("steps"),
        # of the largest process below this one so far, not of this run alone
        "peak_gib": round(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20, 2),
        "run": run.get("run"),
    }


def main() -> None:
    options = arguments()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    rows = json.loads(options.output.read_text()) if options.output.exists() else []
    done = {(row["track"], row["algorithm"], row["seed"]) for row in rows}
    for seed in options.seeds:
        for track in options.tracks:
            if (Path(track).stem, options.algorithm, seed) in done:
                continue
            rows.append(run_pipeline(track, seed, options.algorithm, options.minutes))
            options.output.write_text(json.dumps(rows, indent=1) + "\n")
    print(" | ".join(COLUMNS))
    for row in rows:
        print(" | ".join(str(row[column]) for column in COLUMNS))


if __name__ == "__main__":
    main()
