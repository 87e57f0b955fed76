"""When another task may begin: when the core has less to do than it can do side by side. Counts heads, decides nothing
else.

A task's heads come and go: one at first, many later, none while its tests run. A fixed number of tasks leaves the core
idle or crowds it; half as many heads again as the core has rows do neither.
"""

import asyncio
import math
import os
import resource
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from reasoner.completions import CoreInfo
from reasoner.trace import Added, Dropped, Entered, Event, Listener, Opened

TASKS = 5
"""In flight for each row at most: of a task of one attempt, a third or less of its time may be writing."""
WORLD_BYTES, WORLD_FILES = 32 * 2**20, 4
"""What a world holds: 24 MB of memory that nobody shares, measured in bubblewrap, and open files of this process."""
_OTHER_FILES, _FILES = 200, 4096


class Admission:
    """`workers` None takes as many tasks as keep the core's `rows` busy and `held` worlds allow, else so many whatever
    they do."""

    def __init__(self, workers: int | None = None, rows: int = CoreInfo.rows, held: int | None = None) -> None:
        most = min(TASKS * rows, worlds() if held is None else held) if workers is None else workers
        self.most = max(1, most)
        """Tasks in flight at most; whoever makes the attempts may raise it."""
        self._heads = rows + rows // 2 if workers is None else math.inf
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


def open_more_files() -> None:
    """Let this process open as many files as it may let itself: worlds hold some."""
    files, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    if files != resource.RLIM_INFINITY and files < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))


def worlds() -> int:
    """So many fit into half of this machine's memory, and into the files that a process may open."""
    fit = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2 // WORLD_BYTES
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return fit if files == resource.RLIM_INFINITY else min(fit, (files - _OTHER_FILES) // WORLD_FILES)
