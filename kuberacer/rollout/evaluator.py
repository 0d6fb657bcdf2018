"""The evaluator's loop: drives the deterministic laps of the newest policy, and tells the trainer.

Policies that came and went while it was driving are left out: the trainer never waits for a lap.
"""

import time
from collections.abc import Callable
from dataclasses import asdict, replace

from kuberacer.coach.frozen_names import CAR_OUTPUT
from kuberacer.rollout.announcement import Announcement
from kuberacer.rollout.broker import WorkerBroker
from kuberacer.rollout.entrants import Entrant
from kuberacer.rollout.handout import NodeCache, Setup
from kuberacer.rollout.policy_loader import PolicyLoader
from kuberacer.rollout.worker import Pace, read_setup

LOOK_S = 0.2


class Evaluator:
    def __init__(self, broker: WorkerBroker, cache: NodeCache, pace: Pace, say: Callable[[str], None] = print):
        self.broker, self.cache, self.pace, self.say = broker, cache, pace, say
        self.loader = PolicyLoader(cache, say)
        self.laps = 0

    def run(self) -> None:
        """Until the training says that it is over."""
        done: tuple[str, int] | None = None
        setups: dict[str, tuple[Setup, list[Entrant]]] = {}
        while True:
            self.pace.touch()
            newest = self.broker.look(self.laps, "evaluates")[0]
            if newest is not None and newest.stop:
                return
            # Version 0 has learned nothing: its lap would choose nothing.
            if newest is None or newest.version == 0 or (newest.session, newest.version) == done:
                time.sleep(LOOK_S)
                continue
            if newest.setup not in setups:
                setup = read_setup(self.cache, newest)
                setups = {newest.setup: (setup, setup.entrants(lambda digest: self.cache.fetch(digest, "pb")))}
            if self._drive(newest, *setups[newest.setup]):
                done = (newest.session, newest.version)

    def _drive(self, newest: Announcement, setup: Setup, rivals: list[Entrant]) -> bool:
        wanted = newest
        if newest.laps:
            wanted = replace(newest, graph=newest.laps, outputs=(CAR_OUTPUT[setup.algorithm],))
        self.loader.want(wanted)
        loaded = self.loader.newest(5.0)
        if loaded is None or loaded[0] != wanted:
            return False
        policy = loaded[1]

        def actions(frames):
            self.pace.touch()
            return policy.best_actions(frames)

        lap = setup.drive_laps(actions, setup.stack, rivals)
        self.laps += 1
        self.broker.tell_lap(newest.session, newest.version, asdict(lap))
        self.say(f"policy {newest.version}: {lap.laps} laps, {lap.progress:.0f} %, {lap.seconds:.2f} s")
        return True
