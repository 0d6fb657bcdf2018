"""The evaluator of a training with distributed rollouts: drives the deterministic laps of the newest policy.

Settings come by environment, as for rollout_worker.
"""

import os
import signal
from pathlib import Path

from kuberacer.errors import run_main
from kuberacer.rollout.worker import Pace
from kuberacer.rollout.workers import EVALUATOR
from kuberacer.stages.arguments import stage_parser
from kuberacer.stages.rollout_worker import leave, work


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    parser = stage_parser(
        "rollout_evaluator", __doc__ or "", "python -m kuberacer.stages.rollout_evaluator --run my-run"
    )
    parser.add_argument("--run", required=True, help="name of the run: its folder in the store")
    health = os.environ.get("KUBERACER_HEALTH_FILE")
    parser.add_argument("--health", type=Path, default=health and Path(health), help="file touched while it lives")
    options = parser.parse_args()
    work(options.run, EVALUATOR, Pace(0.0, options.health))


if __name__ == "__main__":
    run_main(main)
