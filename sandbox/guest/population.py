"""Every process of the world, and who is responsible for it: heaps, programs of calls in flight, and strays."""

import os
import signal
import sys
import time

from guest import processes

_PASSES = 2000


class Population:
    """`heaps` by process id. `calls` are the process ids of calls in flight, whose descendants are left alone."""

    def __init__(self, root):
        self.root = root
        self.heaps = {root.pid: root}
        self.calls = set()
        self.dead, self.spare = {}, 0
        """Heap -> process ids of those that it has to wait for, and how many there may be at once: they count against
        the limit of processes, but waking a node to wait for one costs as much as a fork."""
        self.servants = set()
        """Process ids of programs that are held loaded: trusted, and nobody's stray."""
        self.exits = {}
        """Wait status and resource usage of programs that have ended, until somebody asks."""

    def knows(self, pid):
        return pid <= 1 or pid in self.heaps or pid in self.calls

    def childless(self, heap):
        """Whether a heap whose cell has just ended has started nothing that still lives: it adopts what it started, and
        the filter does not let it stop doing so. False also where the kernel does not tell."""
        return heap.alive and processes.children(heap.pid) == set()

    def sweep(self):
        """Kill everything that is neither a heap nor part of a call in flight, and wait until it is dead.

        They are stopped before they are killed: what is stopped still counts against the limit of processes, so that
        what forks as fast as it can runs out of room instead of out of our sight.
        """
        stopped = set()
        for _ in range(_PASSES):
            strays = self.strays(self.others())
            if not strays:
                return stopped
            fresh = strays - stopped
            for pid in fresh or strays:
                processes.kill(pid, signal.SIGSTOP if fresh else signal.SIGKILL)
            stopped |= fresh
            self.reap()
            if not fresh:
                time.sleep(0.0005)
        sys.exit("processes are left that cannot be killed")

    def strays(self, others):
        """Those of `others` that belong neither to a call in flight nor to a child that is about to say hello."""
        busy = self.calls | {heap.pid for heap in self.heaps.values() if heap.expecting}
        return {pid for pid, owner in others.items() if owner not in busy}

    def reap(self):
        """Collect children that have ended: programs, and orphans that came to us."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not pid:
                return
            if pid == self.root.pid:
                sys.exit("the root node has died")
            self.servants.discard(pid)
            if pid in self.calls:
                self.exits[pid] = status, usage.ru_utime + usage.ru_stime

    def bury(self, heap):
        """Kill a heap and have its parent collect it, sooner or later."""
        self.heaps.pop(heap.pid, None)
        processes.kill(heap.pid)
        heap.close()
        for pid in (heap.pid, *self.dead.pop(heap, ())):
            self.dead.setdefault(heap.keeper(self.root), []).append(pid)
        if sum(map(len, self.dead.values())) > self.spare:
            self.collect_all()

    def collect_all(self):
        """Have every process that is dead waited for."""
        dead, self.dead = self.dead, {}
        for keeper, pids in dead.items():
            self.collect(keeper, pids)

    def collect(self, keeper, pids):
        """Have `keeper` wait for `pids`, which are dying, and for whatever else of its children has ended."""
        if keeper is None:
            self.reap()
            return
        try:
            keeper.ask(("reap", list(pids)))
        except OSError:  # it is dying too; its end will be noticed by itself
            return

    def others(self):
        """Living processes that are no heap and no call -> the heap or call they descend from, else 1."""
        owners = {*self.heaps, *self.calls}
        unknown = processes.listing() - {1} - owners - self.servants
        return processes.owned(unknown, owners) if unknown else {}
