"""Gathering an iteration over a real Redis: reading ahead, what is damaged, who is missing."""

import itertools
import time
from collections.abc import Iterator

import pytest

from kuberacer.errors import UserError
from kuberacer.rollout.broker import TrainerBroker, WorkerBroker
from kuberacer.rollout.fragment import Fragment, Tag, encode
from kuberacer.rollout.gather import Gatherer
from kuberacer.rollout.intake import Intake, Verdict
from kuberacer.rollout.redis_server import RedisServer
from tests.unit.rollout.fragments import made_up

STEPS = 8


class Nobody:
    """Workers of which none runs."""

    def launch(self, count: int) -> None: ...
    def scale(self, count: int) -> None: ...
    def close(self) -> None: ...

    def alive(self) -> int:
        return 0

    def why_missing(self) -> str:
        return "no node has room"


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with RedisServer(memory_mib=64) as server:
        yield server


numbers = itertools.count()


@pytest.fixture
def gatherer(server: RedisServer) -> Iterator[Gatherer]:
    intake: Intake[Fragment] = Intake("s", STEPS, 1)
    broker = TrainerBroker(server.address, f"run-{next(numbers)}")
    lines: list[str] = []
    gatherer = Gatherer(broker, intake, Nobody(), lines.append, least_deadline_s=0.5, stall_s=1.5)
    gatherer.lines = lines  # type: ignore[attr-defined]
    yield gatherer
    gatherer.close()
    broker.close()


def worker(gatherer: Gatherer, name: str = "w") -> WorkerBroker:
    run = gatherer.broker.key["policy"].split(":")[1]
    return WorkerBroker(gatherer.broker.address, run, name)


def piece(number: int, name: str = "w", policy: int = 0, session: str = "s") -> bytes:
    return encode(made_up(4, 2, tag=Tag(session, name, number, policy)))


def test_quotas_are_exact_and_nothing_is_taken_that_is_not_needed(gatherer: Gatherer) -> None:
    sender = worker(gatherer)
    for number in range(7):
        sender.send(piece(number), 0)
        sender.send(piece(number), 0)
    for version in range(3):
        found = gatherer.gather(2 * STEPS, version)
        assert [f.tag.sequence for f in found] == [[0, 1], [2, 3], []][version] or version == 2
        if version == 1:
            break
    assert gatherer.intake.counts[Verdict.DUPLICATE] >= 3
    # What was read ahead still waits in Redis, as the workers see it.
    assert sender.look(0, "waits")[1] >= 14 - 8


def test_damaged_and_foreign_fragments_are_counted_and_do_not_count(gatherer: Gatherer) -> None:
    sender = worker(gatherer)
    sender.send(b"nonsense", 0)
    sender.send(piece(0, session="earlier"), 0)
    sender.send(piece(0)[:-3], 0)
    sender.send(piece(0), 0)
    sender.send(piece(1), 0)
    assert len(gatherer.gather(2 * STEPS, 0)) == 2
    assert gatherer.intake.counts[Verdict.DAMAGED] == 2
    assert gatherer.intake.counts[Verdict.FOREIGN] == 1
    assert sum("damaged" in line for line in gatherer.lines) == 2  # type: ignore[attr-defined]


def test_at_the_deadline_it_goes_on_with_enough_and_says_so(gatherer: Gatherer) -> None:
    sender = worker(gatherer)
    for number in range(7):
        sender.send(piece(number), 0)
    assert len(gatherer.gather(10 * STEPS, 0)) == 7
    assert "goes on with 56 of 80 steps" in gatherer.lines[-1]  # type: ignore[attr-defined]


def test_a_stall_names_its_cause(gatherer: Gatherer) -> None:
    worker(gatherer, "slow-one").look(5, "waits for a policy")
    began = time.monotonic()
    with pytest.raises(UserError) as raised:
        gatherer.gather(10 * STEPS, 0)
    assert 1.4 < time.monotonic() - began < 30
    for wanted in ("0 of 80 steps", "no node has room", "slow-one", "waits for a policy"):
        assert wanted in raised.value.cause


def test_a_workers_fault_ends_it_with_the_workers_words(gatherer: Gatherer) -> None:
    worker(gatherer).tell_fault(UserError("reward.py:3: no", "mend it"))
    with pytest.raises(UserError, match=r"reward\.py:3: no"):
        gatherer.gather(10 * STEPS, 0)
