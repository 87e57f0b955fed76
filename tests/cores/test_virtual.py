"""The virtual clock: order by time, whatever the machine does."""

import asyncio
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from reasoner.cores.virtual import VirtualClock


@contextmanager
def busy_machine(threads: int) -> Iterator[None]:
    over = threading.Event()

    def spin() -> None:
        while not over.is_set():
            sum(range(200))

    crew = [threading.Thread(target=spin) for _ in range(threads)]
    for thread in crew:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in crew:
            thread.join()


async def test_waiters_go_in_order_of_time_and_ties_in_order_of_arrival() -> None:
    clock, order = VirtualClock(), []

    async def head(name: str, seconds: float) -> None:
        await clock.sleep(seconds)
        order.append((name, clock()))

    await asyncio.gather(head("c", 3), head("a", 1), head("b", 2), head("b2", 2), head("now", 0))
    assert order == [("now", 0), ("a", 1), ("b", 2), ("b2", 2), ("c", 3)]


async def test_a_long_wait_costs_no_real_time() -> None:
    clock, started = VirtualClock(), time.monotonic()
    for _ in range(100):
        await clock.sleep(3600)
    assert clock() == 360_000
    assert time.monotonic() - started < 2


async def test_one_who_comes_back_soon_is_before_one_who_waits_longer() -> None:
    """After a release time stands still until the one who was released has had its say."""
    clock, order = VirtualClock(), []

    async def many(name: str, each: float, times: int) -> None:
        for _ in range(times):
            await clock.sleep(each)
            for _ in range(20):  # work inside the loop takes no virtual time
                await asyncio.sleep(0)
            order.append((name, clock()))

    await asyncio.gather(many("slow", 10, 1), many("quick", 3, 3))
    assert order == [("quick", 3), ("quick", 6), ("quick", 9), ("slow", 10)]


async def test_a_cancelled_waiter_does_not_move_time() -> None:
    clock = VirtualClock()
    first, second = asyncio.create_task(clock.sleep(5)), asyncio.create_task(clock.sleep(9))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()
    assert clock() == 9
    late = asyncio.create_task(clock.sleep(100))
    await asyncio.sleep(0)
    late.cancel()
    for _ in range(200):
        await asyncio.sleep(0)
    assert clock() == 9


async def test_real_work_is_waited_for_before_time_passes_its_end() -> None:
    clock, order = VirtualClock(), []

    async def tool(real: float, virtual: float) -> None:
        await clock.during(asyncio.sleep(real), virtual)
        order.append((virtual, clock()))

    async def head(seconds: float) -> None:
        await clock.sleep(seconds)
        order.append((seconds, clock()))

    await asyncio.gather(tool(0.2, 2), tool(0.01, 3), head(1), head(4))
    assert order == [(1, 1), (2, 2), (3, 3), (4, 4)]


async def test_real_work_that_fails_raises_at_its_virtual_end() -> None:
    clock = VirtualClock()

    async def fail() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await clock.during(fail(), 7)
    assert clock() == 7


async def test_cancelling_real_work_ends_it_and_lets_the_others_go_on() -> None:
    clock = VirtualClock()
    ended = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    tool = asyncio.create_task(clock.during(forever(), 1))
    other = asyncio.create_task(clock.sleep(2))
    await asyncio.sleep(0.02)
    assert not other.done()
    tool.cancel()
    await other
    assert ended.is_set()
    assert clock() == 2


def test_the_order_is_the_same_on_an_idle_and_on_a_busy_machine() -> None:
    async def story(seed: int) -> list[tuple[int, int, float]]:
        clock, script, noise, log = VirtualClock(), random.Random(1), random.Random(seed), []
        plans = [[script.choice([0.5, 1, 1, 2.5]) for _ in range(6)] for _ in range(12)]

        async def head(name: int) -> None:
            for step, seconds in enumerate(plans[name]):
                if step % 3 == 2:
                    await clock.during(asyncio.to_thread(time.sleep, noise.random() / 200), seconds)
                else:
                    await clock.sleep(seconds)
                log.append((name, step, clock()))

        await asyncio.gather(*map(head, range(12)))
        return log

    quiet = asyncio.run(story(2))
    with busy_machine(4):
        assert asyncio.run(story(3)) == quiet
    assert len(quiet) == 72
    assert [when for _, _, when in quiet] == sorted(when for _, _, when in quiet)


def test_a_clock_can_go_on_in_another_loop() -> None:
    clock = VirtualClock()

    async def abandon() -> None:
        left = asyncio.ensure_future(clock.sleep(50))
        await clock.sleep(1)
        assert not left.done()

    asyncio.run(abandon())
    asyncio.run(clock.sleep(1))
    assert clock() == 2
