"""The accounting of iterations, for any order of arrivals."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kuberacer.rollout.fragment import Tag
from kuberacer.rollout.intake import Intake, State, Verdict, chains

STEPS = 8


@dataclass(frozen=True)
class Piece:
    tag: Tag
    steps: int = STEPS


def piece(worker: str, sequence: int, policy: int = 0, session: str = "s", steps: int = STEPS) -> Piece:
    return Piece(Tag(session, worker, sequence, policy), steps)


def begun(quota: int = 4, version: int = 0, lag: int = 1) -> Intake[Piece]:
    intake: Intake[Piece] = Intake("s", STEPS, lag)
    intake.begin(quota * STEPS, version, 0.0, 10.0, 100.0)
    return intake


def test_each_verdict_is_counted() -> None:
    intake = begun(version=3)
    for offered, wanted in [
        (piece("a", 0, 3), Verdict.ACCEPTED),
        (piece("a", 0, 3), Verdict.DUPLICATE),
        (piece("a", 1, 2), Verdict.ACCEPTED),
        (piece("b", 0, 1), Verdict.STALE),
        (piece("b", 0, 3), Verdict.DUPLICATE),
        (piece("b", 1, 3, session="other"), Verdict.FOREIGN),
        (piece("b", 1, 4), Verdict.DAMAGED),
        (piece("b", 1, 3, steps=7), Verdict.DAMAGED),
        (piece("b", 1, 3), Verdict.ACCEPTED),
        (piece("c", 5, 3), Verdict.ACCEPTED),
        (piece("c", 6, 3), Verdict.KEPT),
    ]:
        assert intake.offer(offered) is wanted, offered
    intake.damaged()
    assert intake.counts == {
        Verdict.ACCEPTED: 4, Verdict.KEPT: 1, Verdict.DUPLICATE: 2, Verdict.STALE: 1,
        Verdict.FOREIGN: 1, Verdict.DAMAGED: 3,
    }  # fmt: skip
    assert intake.summary() == "2 duplicate, 1 stale, 1 of another session, 3 damaged"


def test_it_goes_on_with_sixty_percent_at_the_deadline_and_waits_with_less() -> None:
    intake = begun(quota=10)
    for number in range(5):
        intake.offer(piece("a", number))
    assert intake.state(9.9) is State.COLLECTING
    assert intake.state(10.0) is State.LATE
    assert intake.state(100.0) is State.STALLED
    intake.offer(piece("a", 5))
    assert intake.state(9.9) is State.COLLECTING
    assert intake.state(10.0) is State.SHORT
    for number in range(6, 10):
        intake.offer(piece("a", number))
    assert intake.state(0.0) is State.COMPLETE
    assert (intake.steps, intake.missing) == (10 * STEPS, 0)


def test_what_is_left_over_counts_for_the_next_iteration_while_it_is_young() -> None:
    intake = begun(quota=1, lag=1)
    assert [intake.offer(piece("a", number)) for number in range(3)] == [Verdict.ACCEPTED, Verdict.KEPT, Verdict.KEPT]
    intake.begin(STEPS, 1, 0.0, 10.0, 100.0)
    assert [f.tag.sequence for f in intake.accepted] == [1]
    intake.begin(STEPS, 2, 0.0, 10.0, 100.0)
    assert (intake.accepted, intake.counts[Verdict.STALE], intake.counts[Verdict.KEPT]) == ([], 1, 0)


def test_a_quota_is_whole_fragments() -> None:
    with pytest.raises(ValueError, match="no multiple"):
        begun().begin(STEPS + 1, 0, 0.0, 1.0, 1.0)


@dataclass(frozen=True)
class Event:
    worker: str
    policy: int
    copies: int  # 0: lost on the way


events = st.lists(st.builds(Event, st.sampled_from("abc"), st.integers(0, 6), st.integers(0, 3)), max_size=120)


@given(events, st.integers(1, 5), st.integers(0, 2))
def test_whatever_comes_nothing_counts_twice_and_iterations_are_exact(
    played: list[Event], quota: int, lag: int
) -> None:
    """Workers lose fragments, send them twice, and play with any policy that there was."""
    intake, version, learned = Intake("s", STEPS, lag), 0, []
    intake.begin(quota * STEPS, 0, 0.0, 10.0, 100.0)
    sequence = dict.fromkeys("abc", 0)
    offered = 0
    for event in played:
        mine = piece(event.worker, sequence[event.worker], min(event.policy, version))
        sequence[event.worker] += 1
        for _ in range(event.copies):
            intake.offer(mine)
            offered += 1
            if intake.state(0.0) is State.COMPLETE:
                assert intake.steps == quota * STEPS
                assert all(version - f.tag.policy <= lag for f in intake.accepted)
                learned += intake.accepted
                version += 1
                intake.begin(quota * STEPS, version, 0.0, 10.0, 100.0)
    learned += intake.accepted
    assert len({f.tag for f in learned}) == len(learned)
    assert sum(intake.counts.values()) == offered
    assert intake.counts[Verdict.ACCEPTED] == len(learned)


@given(st.sets(st.tuples(st.sampled_from("abc"), st.integers(0, 12))), st.randoms())
def test_chains_are_the_stretches_without_a_gap(tags: set[tuple[str, int]], random) -> None:
    pieces = [piece(worker, number) for worker, number in tags]
    random.shuffle(pieces)
    found = chains(pieces)
    assert sorted(f.tag.sequence for chain in found for f in chain) == sorted(number for _, number in tags)
    for chain in found:
        worker, first, last = chain[0].tag.worker, chain[0].tag.sequence, chain[-1].tag.sequence
        assert [(f.tag.worker, f.tag.sequence) for f in chain] == [(worker, n) for n in range(first, last + 1)]
        assert (worker, first - 1) not in tags
        assert (worker, last + 1) not in tags
