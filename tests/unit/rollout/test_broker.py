"""Redis between trainer and workers, with a real server that is killed."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import redis

from kuberacer.coach.choose import Explore
from kuberacer.errors import UserError
from kuberacer.rollout.announcement import Announcement
from kuberacer.rollout.broker import TrainerBroker, WorkerBroker
from kuberacer.rollout.redis_server import RedisServer
from kuberacer.rollout.workers import RedisAddress
from kuberacer.usage import processor_seconds

NEWS = Announcement("s", 3, "0" * 64, ("in",), ("out",), Explore("categorical", 0.0, 5), "1" * 64, 1, 16, 8)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer(memory_mib=64) as server:
        yield server


@pytest.fixture
def trainer(server: RedisServer) -> Iterator[TrainerBroker]:
    broker = TrainerBroker(server.address, "run")
    broker.clear()
    yield broker
    broker.close()


@pytest.fixture
def worker(server: RedisServer) -> Iterator[WorkerBroker]:
    broker = WorkerBroker(server.address, "run", "w-1", patience_s=20)
    yield broker
    broker.close()


def take(trainer: TrainerBroker, count: int, wait_s: float) -> list[bytes]:
    """The oldest fragments, out of the stream."""
    came = trainer.fragments(b"0", count, wait_s)
    if came:
        trainer.taken(came[-1][0])
    return [data for _, data in came]


def kill(server: RedisServer) -> None:
    """And wait until it is back, empty."""
    assert server.process is not None
    restarts = server.restarts
    os.kill(server.process.pid, signal.SIGKILL)
    until = time.monotonic() + 20
    while server.restarts == restarts and time.monotonic() < until:
        time.sleep(0.01)


def test_announcements_and_fragments_arrive(trainer: TrainerBroker, worker: WorkerBroker) -> None:
    assert worker.announcement() is None
    trainer.announce(NEWS)
    assert worker.announcement() == NEWS
    worker._told = -100.0
    for number in range(5):
        news, waiting = worker.send(b"%d" % number, number)
        assert (news, waiting) == (NEWS, number + 1)
    assert take(trainer, 3, 0.1) == [b"0", b"1", b"2"]
    worker._told = -100.0
    assert worker.look(9, "waits")[1] == 2
    assert take(trainer, 3, 0.1) == [b"3", b"4"]
    assert take(trainer, 3, 0.05) == []
    (seen,) = trainer.workers()
    assert (seen.worker, seen.steps, seen.doing) == ("w-1", 9, "waits")
    assert 0 < seen.cpu_s <= processor_seconds() + 0.01
    assert "w-1" in seen.line(time.time())


def test_a_killed_server_comes_back_and_is_told_again(
    server: RedisServer, trainer: TrainerBroker, worker: WorkerBroker
) -> None:
    trainer.announce(NEWS)
    worker.send(b"lost", 1)
    kill(server)
    worker.send(b"sent again", 2)
    assert take(trainer, 9, 1.0) == [b"sent again"]
    assert worker.announcement() == NEWS


def test_a_worker_waits_while_the_server_is_away(
    server: RedisServer, trainer: TrainerBroker, worker: WorkerBroker
) -> None:
    assert server.process is not None
    os.kill(server.process.pid, signal.SIGSTOP)  # it does not even refuse
    sender = threading.Thread(target=worker.send, args=(b"late", 1))
    sender.start()
    time.sleep(0.3)
    assert sender.is_alive()
    os.kill(server.process.pid, signal.SIGCONT)
    sender.join(20)
    assert take(trainer, 9, 1.0) == [b"late"]


def test_a_full_server_makes_workers_wait_and_loses_nothing(
    server: RedisServer, trainer: TrainerBroker, worker: WorkerBroker
) -> None:
    big = bytes(8 << 20)
    sent = []

    def flood() -> None:
        for number in range(12):  # 96 MB into 64
            worker.send(bytes([number]) + big, number)
            sent.append(number)

    sender = threading.Thread(target=flood)
    sender.start()
    until = time.monotonic() + 20
    while len(sent) < 5 and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.5)
    assert sender.is_alive()
    assert len(sent) < 8
    came: list[int] = []
    while len(came) < 12 and time.monotonic() < until + 20:
        came += [data[0] for data in take(trainer, 2, 0.5)]
    sender.join(20)
    assert came == list(range(12))


def test_without_the_password_nothing_goes(server: RedisServer) -> None:
    wrong = RedisAddress(server.address.host, server.address.port, "wrong")
    with pytest.raises(UserError, match="refuses the password"):
        WorkerBroker(wrong, "run", "w").announcement()
    with pytest.raises(redis.AuthenticationError):
        redis.Redis(port=server.address.port).ping()
    assert server.process is not None
    line = (
        Path(f"/proc/{server.process.pid}/cmdline").read_bytes()
        + Path(f"/proc/{server.process.pid}/environ").read_bytes()
    )
    assert server.address.password.encode() not in line
    assert server.address.password not in repr(server.address)


def test_patience_ends_with_a_sentence() -> None:
    with pytest.raises(UserError, match="is away for"):
        WorkerBroker(RedisAddress("127.0.0.1", 9, "x"), "run", "w", patience_s=0.2).announcement()


def test_faults_and_laps_are_told_once(trainer: TrainerBroker, worker: WorkerBroker) -> None:
    assert trainer.fault() is None
    worker.tell_fault(UserError("reward.py:3: division by zero", "mend it"))
    fault = trainer.fault()
    assert fault is not None
    assert (fault.cause, fault.remedy) == ("reward.py:3: division by zero", "mend it")
    assert trainer.fault() is None
    worker.tell_lap("s", 4, {"laps": 1})
    assert trainer.laps() == [{"session": "s", "version": 4, "lap": {"laps": 1}}]
    assert trainer.laps() == []


def test_what_is_no_announcement_is_none(trainer: TrainerBroker, worker: WorkerBroker) -> None:
    for text in ("", "[]", "null", "{}", NEWS.to_json().replace("categorical", "other"), "\xff"):
        trainer.redis.set(trainer.key["policy"], text)
        assert worker.announcement() is None
    stop = replace(NEWS, stop=True)
    trainer.announce(stop)
    assert worker.announcement() == stop
