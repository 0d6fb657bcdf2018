"""Redis between trainer and workers. Keys begin with kr:<run>:

fragments, laps, faults: streams, which the trainer reads and empties. policy: the newest Announcement.
workers: a hash, what each worker said last of itself.

Redis may be killed at any time and come back empty. Every operation is tried again until it works or patience ends;
what was sent twice is found by its tag, what was lost is played anew.
"""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from kuberacer.errors import UserError
from kuberacer.rollout.announcement import Announcement
from kuberacer.rollout.workers import RedisAddress
from kuberacer.usage import amount, processor_seconds

PATIENCE_S = 300.0
TELL_S = 2.0  # between two words of a worker about itself
FORGOTTEN_S = 600.0  # after which a silent worker is no longer listed
T = TypeVar("T")
_AWAY = (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError, redis.ReadOnlyError)


class FullError(redis.RedisError):
    """The server has no memory left for it now."""


@dataclass(frozen=True)
class Seen:
    """A worker's last word."""

    worker: str
    at: float  # its wall clock
    steps: int
    doing: str
    cpu_s: float = 0.0  # processor seconds since it was started

    def line(self, now: float) -> str:
        return f"{self.worker} {max(0.0, now - self.at):.0f} s ago ({self.doing})"


class Broker:
    """A connection. patience_s: how long to try again before a UserError says that Redis is away."""

    def __init__(
        self,
        address: RedisAddress,
        run: str,
        patience_s: float = PATIENCE_S,
        say: Callable[[str], None] = lambda line: None,
        sleep: Callable[[float], None] = time.sleep,
    ):
        self.address, self.patience_s, self.say, self.sleep = address, patience_s, say, sleep
        self.key = {name: f"kr:{run}:{name}" for name in ("fragments", "laps", "faults", "policy", "workers")}
        self.redis = redis.Redis(
            host=address.host,
            port=address.port,
            password=address.password,
            socket_timeout=15,
            socket_connect_timeout=5,
            health_check_interval=0,
            retry=Retry(NoBackoff(), 0),
        )

    def close(self) -> None:
        self.redis.close()

    def again(self, operation: Callable[[], T]) -> T:
        """Run it until it works. Raises UserError when Redis stays away, or refuses for good."""
        began = time.monotonic()
        pause, said = 0.05, False
        while True:
            try:
                return operation()
            except redis.AuthenticationError as error:
                raise UserError(
                    f"Redis at {self.address.host}:{self.address.port} refuses the password",
                    "give trainer and workers the same KUBERACER_REDIS_PASSWORD",
                ) from error
            except (*_AWAY, redis.OutOfMemoryError, FullError) as error:
                waited = time.monotonic() - began
                if waited > self.patience_s:
                    raise UserError(
                        f"Redis at {self.address.host}:{self.address.port} is away for {waited:.0f} s: {error}",
                        "see whether the trainer runs, and what its log says",
                    ) from error
                if waited > 2 and not said:
                    self.say(f"waits for Redis: {error}")
                    said = True
                self.sleep(pause)
                pause = min(2.0, 1.5 * pause)


class TrainerBroker(Broker):
    """The trainer's end."""

    announced: Announcement | None = None

    def announce(self, announcement: Announcement) -> None:
        self.announced = announcement
        self.again(lambda: self.redis.set(self.key["policy"], announcement.to_json()))

    def clear(self) -> None:
        """Forget what an earlier start of this run has left."""
        self.again(lambda: self.redis.delete(*self.key.values()))

    def fragments(self, after: bytes, count: int, wait_s: float) -> list[tuple[bytes, bytes]]:
        """Up to `count` fragments behind the entry `after` (b"0": from the first on) as (entry, bytes), which stay in
        the stream until they are `taken`; [] when none came in wait_s."""

        def read() -> list[tuple[bytes, bytes]]:
            answer: Any = self.redis.xread({self.key["fragments"]: after}, count=count, block=int(1000 * wait_s))
            if self.announced is not None and not self.redis.exists(self.key["policy"]):
                # A new, empty server.
                self.redis.set(self.key["policy"], self.announced.to_json())
            return [(entry, row.get(b"f", b"")) for entry, row in (answer[0][1] if answer else [])]

        return self.again(read)

    def taken(self, entry: bytes) -> None:
        """Remove this entry of the stream and all before it."""
        time_part, _, number = entry.decode().partition("-")
        least = f"{time_part}-{int(number) + 1}"
        self.again(lambda: self.redis.xtrim(self.key["fragments"], minid=least, approximate=False))

    def laps(self) -> list[dict[str, Any]]:
        """What evaluators have found since the last call."""
        return self._take("laps")

    def fault(self) -> UserError | None:
        """What a worker cannot go on with, such as an error in the reward function."""
        for fault in self._take("faults"):
            return UserError(str(fault.get("cause", "a worker failed")), str(fault.get("remedy", "see its log")))
        return None

    def workers(self) -> list[Seen]:
        """All that were heard of lately, the longest silent first."""
        found, old, now = [], [], time.time()
        hashed: Any = self.again(lambda: self.redis.hgetall(self.key["workers"]))
        for name, text in hashed.items():
            try:
                said = json.loads(text)
                seen = Seen(
                    name.decode(errors="replace")[:200],
                    float(said["at"]),
                    int(said["steps"]),
                    str(said["doing"]),
                    amount(said.get("cpu_s", 0.0)),
                )
            except (ValueError, KeyError, TypeError):
                old.append(name)
                continue
            if now - seen.at > FORGOTTEN_S:
                old.append(name)
            else:
                found.append(seen)
        if old:
            self.again(lambda: self.redis.hdel(self.key["workers"], *old))
        return sorted(found, key=lambda seen: seen.at)

    def _take(self, stream: str) -> list[dict[str, Any]]:
        def read() -> list[bytes]:
            answer: Any = self.redis.xrange(self.key[stream], count=1000)
            if answer:
                self.redis.xdel(self.key[stream], *(number for number, _ in answer))
            return [row.get(b"j", b"") for _, row in answer]

        found = []
        for text in self.again(read):
            try:
                entry = json.loads(text)
            except ValueError:
                continue
            if isinstance(entry, dict):
                found.append(entry)
        return found


class WorkerBroker(Broker):
    """A worker's end. name: one start of a worker, never used again."""

    def __init__(self, address: RedisAddress, run: str, name: str, **options: Any):
        super().__init__(address, run, **options)
        self.name = name
        self._told = -TELL_S

    def announcement(self) -> Announcement | None:
        """The newest; None while there is none."""
        return parsed(self.again(lambda: self.redis.get(self.key["policy"])))

    def send(self, data: bytes, steps: int, doing: str = "plays") -> tuple[Announcement | None, int]:
        """Put a fragment into the stream. Returns the newest announcement and how many fragments wait there."""

        def put() -> tuple[Any, int]:
            with self.redis.pipeline(transaction=False) as pipe:
                pipe.xadd(self.key["fragments"], {"f": data})
                return self._ask(pipe, steps, doing)

        text, waiting = self.again(put)
        return parsed(text), waiting

    def look(self, steps: int, doing: str) -> tuple[Announcement | None, int]:
        """The newest announcement and how many fragments wait; says that this worker is there."""

        def ask() -> tuple[Any, int]:
            with self.redis.pipeline(transaction=False) as pipe:
                return self._ask(pipe, steps, doing)

        text, waiting = self.again(ask)
        return parsed(text), waiting

    def _ask(self, pipe: Any, steps: int, doing: str) -> tuple[Any, int]:
        """Send what is in the pipe together with the questions that a worker always has, in one round trip."""
        due = time.monotonic() - self._told > TELL_S
        if due:
            word = {"at": time.time(), "steps": steps, "doing": doing, "cpu_s": round(processor_seconds(), 2)}
            pipe.hset(self.key["workers"], self.name, json.dumps(word))
        pipe.get(self.key["policy"])
        pipe.xlen(self.key["fragments"])
        answers = pipe.execute(raise_on_error=False)
        for answer in answers:
            if isinstance(answer, redis.ResponseError) and "OOM" in str(answer):
                raise FullError(str(answer))
            if isinstance(answer, Exception):
                raise answer
        if due:
            self._told = time.monotonic()
        return answers[-2], answers[-1]

    def tell_lap(self, session: str, version: int, lap: dict[str, Any]) -> None:
        entry = json.dumps({"session": session, "version": version, "lap": lap})
        self.again(lambda: self.redis.xadd(self.key["laps"], {"j": entry}, maxlen=1000))

    def tell_fault(self, error: UserError) -> None:
        entry = json.dumps({"worker": self.name, "cause": error.cause, "remedy": error.remedy})
        self.again(lambda: self.redis.xadd(self.key["faults"], {"j": entry}, maxlen=100))


def parsed(text: Any) -> Announcement | None:
    """None for what is no announcement: the next one will be."""
    if not text:
        return None
    try:
        return Announcement.parse(text)
    except ValueError:
        return None
