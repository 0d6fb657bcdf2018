"""Fetches and compiles the newest policy while the one before is still played."""

import time
from collections.abc import Callable
from threading import Condition, Thread

from kuberacer.errors import UserError
from kuberacer.rollout.announcement import Announcement
from kuberacer.rollout.driving_policy import DrivingPolicy
from kuberacer.rollout.handout import NodeCache
from kuberacer.store.client import NotFoundError

Loaded = tuple[Announcement, DrivingPolicy]


class PolicyLoader:
    """`want` what was announced last, play what `newest` gives. What cannot be had is given up for the next policy."""

    def __init__(self, cache: NodeCache, say: Callable[[str], None] = print, threads: int = 1):
        self.cache, self.say, self.threads = cache, say, threads
        self.swap_seconds = 0.0
        self._wanted: Announcement | None = None
        self._loaded: Loaded | None = None
        self._changed = Condition()
        Thread(target=self._run, name="policies", daemon=True).start()

    def want(self, announcement: Announcement) -> None:
        with self._changed:
            self._wanted = announcement
            self._changed.notify_all()

    def newest(self, wait_s: float = 0.0) -> Loaded | None:
        """What was loaded last; waits up to wait_s for what is wanted."""
        with self._changed:
            self._changed.wait_for(lambda: self._loaded is not None and self._loaded[0] == self._wanted, wait_s)
            return self._loaded

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_work)
                wanted = self._wanted
            assert wanted is not None
            policy = self._load(wanted)
            with self._changed:
                if policy is not None:
                    self._loaded = (wanted, policy)
                elif self._wanted == wanted:
                    self._wanted = None
                self._changed.notify_all()

    def _has_work(self) -> bool:
        return self._wanted is not None and (self._loaded is None or self._loaded[0] != self._wanted)

    def _load(self, wanted: Announcement) -> DrivingPolicy | None:
        began = time.monotonic()
        try:
            graph = self.cache.fetch(wanted.graph, "pb")
            policy = DrivingPolicy(graph, wanted.given, wanted.outputs, wanted.explore, self.threads)
        except NotFoundError:
            return None  # a newer one has taken its place
        except (UserError, OSError, RuntimeError, ValueError) as error:
            self.say(f"policy {wanted.version} cannot be had: {error!s:.300}")
            time.sleep(0.5)
            return None
        self.swap_seconds = time.monotonic() - began
        return policy
