"""Children of nodes from their fork on: until they say hello, and those that are forked before a call wants them.

Who has just run a cell at the end of a line will most likely be asked for the next one: its child is forked while the
answer travels, and waits, stopped, having run nothing. What it would be is what a fork on demand would be: the node is
frozen. Everything that comes out of a child is hostile.
"""

import os
import time

from guest import heaps

_PATIENCE_S = 2.0
SHARE = 32
"""One of this many interpreters that a world may hold can be a child that waits for a call."""


class Birth:
    """A child of `parent`: `line` to it, what it prints at `output`, and its `heap` once it has said hello."""

    def __init__(self, parent):
        self.output, writing = os.pipe()
        try:
            self.line = heaps.fork(parent, writing)
        except OSError:
            os.close(self.output)
            raise
        finally:
            os.close(writing)
        self.parent, self.heap, self.run = parent, None, None
        self.since = time.monotonic()


class Births:
    def __init__(self, world):
        self._world = world
        self._coming = set()
        self._ahead = {}
        """Parent -> the child that waits for its next call, the oldest first."""

    def __bool__(self):
        """Whether a child is on its way that no call waits for, so that somebody has to look after it."""
        return any(birth.run is None for birth in self._coming)

    def child(self, parent, run):
        """The child of `parent` in which `run` takes place. Raises OSError when the parent does not listen."""
        birth = self._ahead.pop(parent, None) or self._begin(parent)
        birth.run = run
        return birth

    def prepare(self, parent):
        """Fork a child of `parent` ahead of its call."""
        most = self._world.settings["nodes"] // SHARE
        if not most:
            return
        try:
            self._ahead[parent] = self._begin(parent)
        except OSError:  # it is dying or does not listen: its end, or its silence, will be noticed
            return
        if len(self._ahead) > most:
            self.discard(next(iter(self._ahead)))

    def discard(self, parent):
        """Give up the child that waits for a call, if there is one; its heap, where it is to be buried with another."""
        birth = self._ahead.pop(parent, None)
        if birth is None:
            return
        os.close(birth.output)
        if birth.heap:
            self._world.bury(birth.heap)
        else:
            self.end(birth)
            birth.line.close()

    def died(self, heap):
        """A heap is gone: so are its child that waits for a call, and its own waiting."""
        self.discard(heap)
        birth = self._ahead.get(heap.parent)
        if birth and birth.heap is heap:
            del self._ahead[heap.parent]
            os.close(birth.output)

    def end(self, birth):
        """Nothing more is awaited from it, whether it has said hello or not."""
        if birth in self._coming:
            self._arrived(birth)
            self._world.events.unwatch(birth.line.fd)

    def _arrived(self, birth):
        self._coming.remove(birth)
        birth.parent.expecting -= 1
        if birth.parent.alive:
            birth.parent.answered()

    def expire(self, now):
        """Give up children that nobody waits for and that do not come."""
        for birth in [b for b in self._coming if b.run is None and now - b.since > _PATIENCE_S]:
            self.discard(birth.parent)

    def _begin(self, parent):
        birth = Birth(parent)
        self._coming.add(birth)
        self._world.events.watch(birth.line.fd, lambda: self._greeted(birth))
        return birth

    def _greeted(self, birth):
        try:
            heap = heaps.greeting(birth.line, birth.parent, self._world.people.knows)
        except heaps.NoChild:
            self.end(birth)
            self._none(birth)
            return
        if heap is None:
            self.end(birth)
            self._world.lose(birth.parent)
            return
        self._arrived(birth)
        birth.heap = heap
        self._world.people.heaps[heap.pid] = heap
        self._world.events.watch(heap.line.fd, lambda: self._world.calls.from_heap(heap))
        self._world.events.watch(heap.pidfd, lambda: self._world.calls.ended(heap))
        if birth.run:
            self._world.calls.born(birth.run, heap)
        else:
            heap.stop()

    def _none(self, birth):
        if birth.run:
            self._world.calls.unborn(birth.run)
        else:
            self.discard(birth.parent)
