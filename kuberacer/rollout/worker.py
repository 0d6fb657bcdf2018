"""The rollout worker's loop: look what is announced, play a fragment, send it.

It keeps nothing that matters: it may be killed at any moment, and joins a running training at any moment.
"""

import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from kuberacer.errors import UserError
from kuberacer.rollout.announcement import Announcement
from kuberacer.rollout.broker import WorkerBroker
from kuberacer.rollout.deepracer_sim import connect, time_trials_only
from kuberacer.rollout.external_sim import ExternalSim
from kuberacer.rollout.fragment import Fragment, Tag, encode
from kuberacer.rollout.handout import NodeCache, Setup
from kuberacer.rollout.player import BatchedReward, Player
from kuberacer.rollout.policy_loader import PolicyLoader
from kuberacer.rollout.rivals import AmongRivals
from kuberacer.sim.race_sim import RaceSim

LONGEST_LOOK_S = 1.0
STARTS = 20  # episodes after which the starting places come again


class Pace:
    """Keeps a number of steps a second, and a file that says that the worker lives."""

    def __init__(self, rate: float = 0.0, health: Path | None = None):
        """rate 0: as fast as it goes."""
        self.period, self.health = 1 / rate if rate else 0.0, health
        self._next = 0.0
        self._touched = 0.0

    def __call__(self) -> None:
        now = time.monotonic()
        if self.period:
            if self._next > now:
                time.sleep(self._next - now)
            # A worker that was held up does not catch up: a real camera would not either.
            self._next = max(self._next, now - self.period) + self.period
        self.touch()

    def touch(self) -> None:
        if self.health is not None and time.monotonic() - self._touched > 0.5:
            self.health.touch()
            self._touched = time.monotonic()


class RolloutWorker:
    def __init__(
        self,
        broker: WorkerBroker,
        cache: NodeCache,
        index: int,
        pace: Pace,
        say: Callable[[str], None] = print,
        simulator: str = "",
    ):
        """simulator: host:port of a DeepRacer simulator that is running, '' for the one of kuberacer.sim."""
        self.broker, self.cache, self.index, self.pace, self.say = broker, cache, index, pace, say
        self.simulator = simulator
        self.loader = PolicyLoader(cache, say)
        self.steps = 0

    def run(self) -> None:
        """Until the training ends. Raises UserError for what another start would not mend."""
        newest = self._wait_for_announcement()
        while not newest.stop:
            self.loader.want(newest)  # while the simulator starts
            setup = self._setup(newest)
            try:
                with setup.reward_process(setup.cars, self.index) as reward:
                    player = self._player(setup, reward)
                    self.say(f"plays {setup.cars} cars on {setup.track_name}, reward {reward.path}")
                    newest = self._play(player, newest)
            except UserError as error:
                self.broker.tell_fault(error)
                raise

    def _play(self, player: Player, newest: Announcement) -> Announcement:
        """Until another setup is announced, or the end."""
        setup, session, sequence = newest.setup, "", 0
        while newest.setup == setup and not newest.stop:
            if newest.session != session:
                session, sequence = newest.session, 0
            self.loader.want(newest)
            loaded = self.loader.newest()
            if loaded is None or loaded[0].session != session or loaded[0].version < newest.version - newest.lag:
                self.loader.newest(LONGEST_LOOK_S)
                newest = self._look(newest, "waits for a policy")
                continue
            announced, policy = loaded
            fragment = player.play(policy, newest.time, Tag(session, self.broker.name, sequence, announced.version))
            self.steps += fragment.steps
            said, waiting = self.broker.send(self._bytes(fragment), self.steps)
            sequence += 1
            newest = self._wait_for_room(said or newest, waiting)
        return newest

    def _bytes(self, fragment: Fragment) -> bytes:
        return encode(fragment)

    def _wait_for_room(self, newest: Announcement, waiting: int) -> Announcement:
        """Play goes on when the trainer has taken some of what waits for it.

        There is no hurry: a whole iteration's steps are waiting. A thousand workers that look often are a load.
        """
        pause, version = 0.1, newest.version
        while waiting >= newest.pending and not newest.stop and newest.version == version:
            self.pace.touch()
            time.sleep(pause)
            pause = min(LONGEST_LOOK_S, 1.6 * pause)
            said, waiting = self.broker.look(self.steps, "waits for the trainer")
            newest = said or newest
        return newest

    def _look(self, newest: Announcement, doing: str) -> Announcement:
        self.pace.touch()
        return self.broker.look(self.steps, doing)[0] or newest

    def _wait_for_announcement(self) -> Announcement:
        pause = 0.05
        while True:
            self.pace.touch()
            newest, _ = self.broker.look(self.steps, "waits for a training")
            if newest is not None:
                return newest
            time.sleep(pause)
            pause = min(LONGEST_LOOK_S, 1.5 * pause)

    def _setup(self, newest: Announcement) -> Setup:
        return read_setup(self.cache, newest)

    def _player(self, setup: Setup, reward: BatchedReward) -> Player:
        sim = self._external(setup) if self.simulator else self._own(setup)
        rng = np.random.default_rng([setup.seed, self.index, zlib.crc32(self.broker.name.encode())])
        return Player(sim, reward, setup.model(), setup.stack, rng, self.pace)

    def _own(self, setup: Setup) -> RaceSim | AmongRivals:
        rules, seed = setup.rules, setup.seed + self.index
        rivals = setup.entrants(lambda digest: self.cache.fetch(digest, "pb"))
        sim = setup.simulator(rivals, seed, clean=rules.randomization)
        for _ in range(self.index % STARTS):
            sim.reset()  # other starting places than its neighbours'
        return sim

    def _external(self, setup: Setup) -> ExternalSim:
        if setup.cars != 1:
            raise UserError(
                f"an external simulator drives one car, this training wants {setup.cars} of each worker",
                "train with CARS_PER_WORKER=1",
            )
        time_trials_only(setup.rules.scene.objects)
        return connect(self.simulator, setup.track(), setup.model())


def read_setup(cache: NodeCache, newest: Announcement) -> Setup:
    """Raises UserError when it cannot be had, or was made by another version."""
    try:
        return Setup.parse(cache.fetch(newest.setup, "json").read_bytes())
    except (ValueError, TypeError, OSError) as error:
        raise UserError(
            f"the rollouts' setup cannot be used: {error}", "run trainer and workers of one version"
        ) from error
