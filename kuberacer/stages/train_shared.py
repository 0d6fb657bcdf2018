"""What every training does, of cars and of environments: say how it goes, leave when asked to, go on."""

import os
import threading
from typing import NoReturn

from kuberacer.coach.agent import Agent
from kuberacer.coach.device import device
from kuberacer.rollout.checkpointing import Checkpointing
from kuberacer.rollout.records import TrainingRecords

LEAVE_S = 23.0  # after SIGTERM; a node that is drained kills soon after


def say(line: str) -> None:
    print(f"progress: {line}", flush=True)


def begins(agent: Agent, played: str) -> None:
    """The sign that training has begun: the first iteration's line comes only after it."""
    say(f"training on {device()} in {agent.precision}, {played}")


def stop(*_: object) -> NoReturn:
    """A drain, a deadline, Ctrl-C: leave the loop and send the checkpoint that is on its way, within LEAVE_S."""
    last = threading.Timer(LEAVE_S, os._exit, [130])
    last.daemon = True
    last.start()
    raise KeyboardInterrupt


def resume(checkpoints: Checkpointing, records: TrainingRecords) -> None:
    iteration = checkpoints.restore_last()
    if iteration is not None:
        seconds = records.progress().seconds
        say(f"goes on after iteration {iteration} ({seconds:.0f} s of training so far)")
