"""Requests together: everybody gets their own answer, in bounded room and time."""

import asyncio
import threading
import time

import numpy as np
import policies
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kuberacer.serve.batcher import Batcher, FullError, LateError
from kuberacer.serve.network import Network


class Doubling:
    """A network that doubles, and keeps what it was asked. Closed, it waits."""

    def __init__(self):
        self.sizes: list[int] = []
        self.asked = 0
        self.open = threading.Event()
        self.open.set()

    def __call__(self, observations, stop):
        self.asked += 1
        self.open.wait(30)
        self.sizes.append(len(observations[0]))
        if (observations[0] < 0).any():
            raise ArithmeticError("negative")
        return 2 * observations[0]


def rows(*values: float) -> list[np.ndarray]:
    return [np.array(values, np.float32)[:, None]]


async def until(found) -> None:
    deadline = time.monotonic() + 30
    while not found():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.001)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=20), st.integers(1, 8))
@settings(max_examples=30)
def test_everybody_gets_their_own_answer(sizes, most):
    async def run():
        network = Doubling()
        async with Batcher(network, most_batch=most) as batcher:
            asked = [rows(*range(100 * i, 100 * i + size)) for i, size in enumerate(sizes)]
            answers = await asyncio.gather(*(batcher.predict(each) for each in asked))
        for observations, answer in zip(asked, answers, strict=True):
            np.testing.assert_array_equal(answer, 2 * observations[0])
        assert sum(network.sizes) == sum(sizes)
        assert all(size <= max(most, *sizes) for size in network.sizes)

    asyncio.run(run())


def test_what_comes_while_the_network_is_busy_is_asked_at_once():
    async def run():
        network, told = Doubling(), []
        network.open.clear()
        async with Batcher(network, lambda *of: told.append(of), most_batch=8) as batcher:
            tasks = [asyncio.create_task(batcher.predict(rows(0)))]
            await until(lambda: network.asked)
            tasks += [asyncio.create_task(batcher.predict(rows(n))) for n in range(1, 20)]
            await asyncio.sleep(0.01)
            network.open.set()
            assert [int(answer[0, 0]) for answer in await asyncio.gather(*tasks)] == [2 * n for n in range(20)]
        assert network.sizes == [1, 8, 8, 3]
        assert [size for size, _, _ in told] == network.sizes
        assert all(waited >= 0 and took >= 0 for _, waited, took in told)

    asyncio.run(run())


def test_more_than_it_holds_is_refused_at_once():
    async def run():
        network = Doubling()
        network.open.clear()
        async with Batcher(network, most_waiting=3) as batcher:
            first = asyncio.create_task(batcher.predict(rows(0)))
            await until(lambda: network.asked)
            kept = [asyncio.create_task(batcher.predict(rows(n))) for n in (1, 2, 3)]
            await asyncio.sleep(0)
            with pytest.raises(FullError):
                await batcher.predict(rows(4))
            network.open.set()
            assert [int(a[0, 0]) for a in await asyncio.gather(first, *kept)] == [0, 2, 4, 6]
            assert (await batcher.predict(rows(*range(10)))).shape == (10, 1)  # alone, whatever its size

    asyncio.run(run())


def test_who_waited_too_long_is_told_and_not_asked_for():
    async def run():
        network = Doubling()
        network.open.clear()
        async with Batcher(network, patience_s=0.05) as batcher:
            asked = [asyncio.create_task(batcher.predict(rows(n))) for n in range(2)]
            found = await asyncio.gather(*asked, return_exceptions=True)
            assert [type(each) for each in found] == [LateError, LateError]
            late = asyncio.create_task(batcher.predict(rows(2)))
            with pytest.raises(LateError):
                await late
            network.open.set()
            assert int((await batcher.predict(rows(3)))[0, 0]) == 6
        assert sum(network.sizes) == 3  # the first batch and the last request

    asyncio.run(run())


def test_a_fault_is_told_to_those_whose_it_was():
    async def run():
        async with Batcher(Doubling()) as batcher:
            with pytest.raises(ArithmeticError):
                await batcher.predict(rows(-1))
            assert int((await batcher.predict(rows(1)))[0, 0]) == 2

    asyncio.run(run())


def test_a_network_that_does_not_end_is_ended(tmp_path):
    folder = policies.write(tmp_path, policies.policy(normalisation=None), policies.endless())
    network = Network.read(folder)

    async def run():
        async with Batcher(network.ask, patience_s=0.5) as batcher:
            with pytest.raises(LateError):
                await batcher.predict([np.array([[2, 0]], np.float32)])
            outputs = await batcher.predict([np.array([[0.5, 0.25]], np.float32)])
            assert outputs.tolist() == [[0.5, 0.25, 0.0]]

    asyncio.run(run())


def test_it_is_left_while_the_network_is_asked(tmp_path):
    network = Network.read(policies.write(tmp_path, policies.policy(normalisation=None), policies.endless()))

    async def run():
        async with Batcher(network.ask) as batcher:
            asked = asyncio.create_task(batcher.predict([np.array([[2, 0]], np.float32)]))
            await asyncio.sleep(0.1)
        asked.cancel()
        return batcher._thread

    thread = asyncio.run(run())
    thread.shutdown(wait=True)  # for ever, if it was not ended
