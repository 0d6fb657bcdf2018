"""A rollout worker: plays with the newest policy that the training has announced, until the training ends.

Settings come by environment: KUBERACER_REDIS_HOST, KUBERACER_REDIS_PORT, KUBERACER_REDIS_PASSWORD, and the object
store's. It may join and leave at any time. Needs no TensorFlow. Index 0 is the evaluator.
"""

import argparse
import os
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import NoReturn

from kuberacer.errors import UserError, run_main
from kuberacer.rollout.broker import WorkerBroker
from kuberacer.rollout.deepracer_sim import simulator_of
from kuberacer.rollout.evaluator import Evaluator
from kuberacer.rollout.handout import NodeCache
from kuberacer.rollout.worker import Pace, RolloutWorker
from kuberacer.rollout.workers import EVALUATOR, RedisAddress
from kuberacer.settings import StoreSettings
from kuberacer.stages.arguments import stage_parser
from kuberacer.store.client import ObjectStore
from kuberacer.store.log_copy import LogCopy, log_key


def main() -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, leave)
    options = arguments()
    work(options.run, options.index, Pace(options.pace, options.health), options.simulator)


def work(run: str, index: int, pace: Pace, simulator: str = "") -> None:
    """Be the worker or the evaluator of this index, until the training ends."""
    role = "evaluator" if index == EVALUATOR else f"worker-{index}"
    name = os.environ.get("KUBERACER_POD_NAME") or f"{socket.gethostname()[:40]}-{role}"
    start = f"{name}-{secrets.token_hex(4)}"  # a worker that is started again is another one
    store = ObjectStore(StoreSettings.from_environment(), attempts=10)
    broker = WorkerBroker(redis_address(), run, start, say=say)
    cache = NodeCache(store, run)
    with LogCopy(store, log_key(run, start)):
        say(f"{start} joins {run}")
        if index == EVALUATOR:
            Evaluator(broker, cache, pace, say).run()
        else:
            RolloutWorker(broker, cache, index, pace, say, simulator or simulator_of(index)).run()
        say("the training has ended")


def redis_address() -> RedisAddress:
    """From the environment. Raises UserError naming what is missing."""
    names = ("KUBERACER_REDIS_HOST", "KUBERACER_REDIS_PORT", "KUBERACER_REDIS_PASSWORD")
    host, port, password = (os.environ.get(name, "") for name in names)
    for name, value in zip(names, (host, port, password), strict=True):
        if not value:
            raise UserError(f"{name} is not set", "a training starts its workers with it: set all three of its Redis")
    if not port.isdigit():
        raise UserError(f"KUBERACER_REDIS_PORT is {port!r}", "give the port's number")
    return RedisAddress(host, int(port), password)


def say(line: str) -> None:
    print(line, flush=True)


def leave(*_: object) -> NoReturn:
    """At once: the fragment that is being played is not sent, and nobody misses it.

    Not with status 0: an evicted pod of a Job would count as done, and get no successor.
    """
    sys.exit(128 + signal.SIGTERM)


def arguments() -> argparse.Namespace:
    parser = stage_parser(
        "rollout_worker", __doc__ or "", "python -m kuberacer.stages.rollout_worker --run my-run --index 1 --pace 15"
    )
    parser.add_argument("--run", required=True, help="name of the run: its folder in the store")
    index = os.environ.get("JOB_COMPLETION_INDEX", "1")
    parser.add_argument("--index", type=int, default=index, help="0: the evaluator (default: JOB_COMPLETION_INDEX)")
    parser.add_argument("--pace", type=float, default=0.0, help="steps a second of every car, 0: as fast as it goes")
    parser.add_argument(
        "--simulator",
        default="",
        help="host:port of a DeepRacer simulator (default: that of KUBERACER_SIMULATORS, our own)",
    )
    health = os.environ.get("KUBERACER_HEALTH_FILE")
    parser.add_argument("--health", type=Path, default=health and Path(health), help="file touched while it lives")
    return parser.parse_args()


if __name__ == "__main__":
    run_main(main)
