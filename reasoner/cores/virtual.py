"""A clock on which waiting costs nothing and order is exact: the earliest waiter goes next, ties in order of arrival.

Time stands still while the event loop works. Only after `SETTLE` turns of the loop in which nobody arrived is the
earliest waiter let go, and the clock jumps to its time. Turns are counted, not measured, so a loaded machine gives the
same order as an idle one. What the clock cannot see is work outside the loop (a subprocess, a thread): wrap that in
`during`, which gives it a duration in virtual time, and time does not pass that point before the work is truly done.
"""

import asyncio
import heapq
import itertools
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any, TypeVar

SETTLE = 64
"""From a released completion to the next request is a dozen turns: a head ends, its driver wakes, a head starts."""

T = TypeVar("T")


@dataclass(order=True)
class _Wait:
    when: float
    arrival: int
    released: "asyncio.Future[None]" = field(compare=False)
    work: "asyncio.Task[Any] | None" = field(compare=False)

    @property
    def over(self) -> bool:
        return self.released.done()

    @property
    def busy(self) -> bool:
        return self.work is not None and not self.work.done()


class VirtualClock:
    """Virtual seconds since it was made; call it to read them, so that it serves as a `Ledger`'s clock."""

    def __init__(self) -> None:
        self._now = 0.0
        self._waits: list[_Wait] = []
        self._arrivals = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._turning = False
        self._quiet = 0

    def __call__(self) -> float:
        return self._now

    def ticket(self) -> int:
        """A place in the order of arrival, for one who will wait more than once."""
        return next(self._arrivals)

    async def sleep(self, seconds: float) -> None:
        await self.until(self._now + seconds)

    async def until(self, when: float, ticket: int | None = None) -> None:
        """Wait for a point in virtual time; one that has passed is now. Equal times go by ticket."""
        await self._wait(when, None, self.ticket() if ticket is None else ticket)

    async def during(self, work: Coroutine[Any, Any, T], seconds: float) -> T:
        """Do real work that takes `seconds` of virtual time, and return what it returns (or raise what it raises).

        The work starts at once. It must not itself wait on this clock: time would wait for it, and it for time.
        Cancelling cancels the work and waits until it has ended.
        """
        task = asyncio.ensure_future(work)
        task.add_done_callback(lambda _: self._stir())
        try:
            await self._wait(self._now + seconds, task, self.ticket())
        except asyncio.CancelledError:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            raise
        return task.result()

    async def _wait(self, when: float, work: "asyncio.Task[Any] | None", ticket: int) -> None:
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            self._loop, self._waits, self._turning = loop, [], False
        wait = _Wait(max(when, self._now), ticket, loop.create_future(), work)
        heapq.heappush(self._waits, wait)
        self._stir()
        try:
            await wait.released
        except asyncio.CancelledError:
            self._stir()
            raise

    def _stir(self) -> None:
        """Something moved: count quiet turns from the beginning."""
        self._quiet = 0
        if self._loop is not None and not self._turning:
            self._turning = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        while self._waits and self._waits[0].over:
            heapq.heappop(self._waits)
        if not self._waits or self._waits[0].busy:
            self._turning = False
            return
        self._quiet += 1
        if self._quiet >= SETTLE:
            wait = heapq.heappop(self._waits)
            self._now = wait.when
            self._quiet = 0
            wait.released.set_result(None)
        asyncio.get_running_loop().call_soon(self._turn)
