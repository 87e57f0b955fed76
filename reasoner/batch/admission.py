"""When another task may begin: when the core has less to do than it can do side by side. Counts heads, decides nothing
else.

A task's heads come and go: one at first, many later, none while its tests run. A fixed number of tasks leaves the core
idle or crowds it; a fixed number of heads at the core does neither.
"""

import asyncio
import math
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from reasoner.trace import Added, Dropped, Entered, Event, Listener, Opened

HEADS = 32
"""At the core, below which another task begins."""
MOST = 96
"""Tasks in flight; each holds a world."""


class Admission:
    """`workers` None takes as many tasks as keep `heads` heads at the core, else so many whatever they do."""

    def __init__(self, workers: int | None = None, heads: int = HEADS) -> None:
        self.most = MOST if workers is None else max(1, workers)
        """Tasks in flight at most."""
        self._heads = heads if workers is None else math.inf
        self._at_core: set[tuple[int, int]] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._entered = 0

    async def turn(self) -> None:
        """Wait until another task may begin."""
        while len(self._at_core) >= self._heads:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting.append(waiter)
            await waiter

    @contextmanager
    def inside(self) -> Iterator[Listener]:
        """While a task is in flight; what is given hears its events."""
        self._entered += 1
        task, heads = self._entered, set[int]()

        def hear(event: Event) -> None:
            match event:
                case Opened(head):
                    heads.add(head.id)
                    self._at_core.add((task, head.id))
                case Entered(head, kind) if head in heads:
                    (self._at_core.discard if kind == "observe" else self._at_core.add)((task, head))
                case Added(_, int(head)) | Dropped(head):
                    heads.discard(head)
                    self._at_core.discard((task, head))
            self._let_in()

        try:
            yield hear
        finally:
            self._at_core -= {(task, head) for head in heads}
            self._let_in()

    def lift(self) -> None:
        """Nothing is left to begin: nobody has to wait for a turn."""
        self._heads = math.inf
        while self._waiting:
            self._let_in()

    def _let_in(self) -> None:
        """One at a time: what it begins is seen before the next."""
        while self._waiting and len(self._at_core) < self._heads:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(None)
                return
