"""Calls in flight: begun on a snapshot, listened to, measured while they run, and cleared up after.

Everything that comes out of a node or a program is hostile.
"""

import base64
import contextlib
import os
import time

from guest import files, heaps, processes, program
from guest.frames import BrokenFrame
from guest.runs import Run, cell_result
from guest.warm import Warm

SCRATCH = ("/tmp", "/dev/shm")
_KEPT = (None, "raised", "protocol")
"""After these a call's state is a snapshot; after any other the call has left no trace."""


class Calls:
    """`runs` are those in flight, by the number of the host's request."""

    def __init__(self, world):
        self._world = world
        self.runs = {}
        self._warm = {}

    def begin(self, request):
        """Start the call that the host asks for. Raises Missing."""
        snapshot = self._world.snapshots[request["at"]]
        before, alone = self._world.room.used(), not self.runs
        run = Run(request, snapshot, self._world.slots.take(snapshot.manifest))
        self._world.room.settle(before, alone)
        run.limits["total_processes"] = self._world.settings["limits"]["total_processes"]
        self.runs[request["id"]] = run
        self._world.snapshots.use(snapshot.heap)
        try:
            self._start_cell(run) if request["state"] == "heap" else self._start_program(run)
        except OSError as error:
            if request["state"] == "heap":
                self._world.lose(snapshot.heap)
            else:
                run.fail("killed", f"it could not be started: {error.strerror}")
                self.finish(run)

    def _start_cell(self, run):
        reading, writing = os.pipe()
        self._listen(run.capture(reading), run)
        above = run.snapshot.heap
        try:
            run.line = heaps.fork(above, writing)
        finally:
            os.close(writing)
        slot, moved = run.slot, (run.slot, run.snapshot.manifest) != (above.slot, above.manifest)
        with contextlib.suppress(OSError):  # there is no child: the greeting will tell
            run.line.send(
                {
                    "op": "cell",
                    "code": run.request["code"],
                    "limits": run.limits,
                    "slot": slot.files,
                    "tmp": slot.tmp,
                    "moved": moved,
                }
            )
        self._world.events.watch(run.line.sock, lambda: self._greeted(run))

    def _greeted(self, run):
        self._world.events.unwatch(run.line.sock)
        try:
            heap = heaps.greeting(run.line, run.snapshot.heap, self._world.people.knows)
        except heaps.NoChild:
            run.fail("killed", "there was no room for another process")
            self.finish(run)
            return
        if heap is None:
            self._world.lose(run.snapshot.heap)
            return
        run.snapshot.heap.expecting -= 1
        run.line = None
        run.heap, run.pid = heap, heap.pid
        self._world.people.heaps[heap.pid] = heap
        self._world.people.calls.add(heap.pid)
        self._world.events.watch(heap.line.sock, lambda: self.from_heap(heap))
        self._world.events.watch(heap.pidfd, lambda: self._ended(heap))
        self._world.events.watch_writing(heap)

    def _start_program(self, run):
        request = run.request
        content, arguments = base64.b64decode(request["program"]), request["arguments"].encode()
        warm = self._warmed(content) if request["warm"] else None
        with self._world.expendable:
            if warm:
                run.pid, out, err = warm.start(run.slot, arguments, run.limits)
            else:
                run.pid, out, err = program.start(run.slot, content, arguments, run.limits, self._world.settings)
        self._world.people.calls.add(run.pid)
        run.pidfd = os.pidfd_open(run.pid)
        self._world.events.watch(run.pidfd, lambda: self._exited(run))
        self._listen(run.capture(out, factor=8), run)
        self._listen(run.capture(err), run)

    def _warmed(self, content):
        """The process that holds this program, None while it is not loaded yet."""
        held = self._warm.get(content)
        if held and held.pid not in self._world.people.servants:
            held.close()
            held = None
        if held is None:
            with self._world.expendable:
                held = self._warm[content] = Warm(content, self._world.settings)
            self._world.people.servants.add(held.pid)
        return held if held.ready() else None

    def _listen(self, stream, run):
        def read():
            if not stream.read():
                self._world.events.unwatch(stream.fd)
                stream.close()
            elif stream.exceeded:
                run.check(time.monotonic(), ())
                self.finish(run)

        self._world.events.watch(stream.fd, read)

    def from_heap(self, heap):
        run = next((r for r in self.runs.values() if r.heap is heap), None)
        try:
            messages = heap.line.receive()
        except BrokenFrame:
            messages = None
        if messages is None:
            self._ended(heap)
            return
        for message in messages:
            if run and "cell" in message:
                self.finish(run, cell_result(message))
                run = None
            elif heap is self._world.people.root and self._world.opening:
                self._world.opened()
                heap.answered()
            else:
                heap.answered()

    def _ended(self, heap):
        run = next((r for r in self.runs.values() if r.heap is heap), None)
        if run is None:
            self._world.lose(heap)
            return
        seen = processes.stat(heap.pid)
        run.measure(())
        run.died(seen.status if seen and seen.state == "Z" else None)
        self.finish(run)

    def _exited(self, run):
        self._world.people.reap()
        status, used = self._world.people.exits.pop(run.pid, (9, 0.0))
        run.cpu_s = max(run.cpu_s, used)
        if os.WIFSIGNALED(status):
            run.died(status)
        self.finish(run, {"status": os.waitstatus_to_exitcode(status)})

    def abandon(self, run):
        """The snapshot was lost before the call began."""
        self._forget(run)
        self._release_slot(run)
        run.close()
        self._world.reply(run.request, missing=run.request["at"])

    def finish(self, run, result=None):
        """The call is over: clear up after it, keep its state if it has one, answer."""
        alone = run.heap and not run.failure and self._world.people.childless(run.heap)
        others = {} if alone else self._world.people.others()
        run.measure({pid for pid, owner in others.items() if owner == run.pid})
        self._forget(run)
        if run.failure and run.heap:
            self._world.bury(run.heap)
        elif run.failure and run.pid:
            processes.kill(run.pid)
        strays = self._world.people.sweep() if others or run.failure else set()
        self._world.people.reap()
        for stream in run.streams:
            stream.drain()
        run.check(run.started, ())
        manifest = self._scan(run)
        if not run.heap and not run.failure:
            result = run.program_result(result["status"])
        answer = run.answer(result)
        kept = answer["error"] in _KEPT
        if run.heap and run.heap.alive:
            answer["degraded"] = "; ".join(filter(None, [answer["degraded"], processes.lost_threads(run.pid)]))
            self._settle(run, manifest, strays, kept)
        elif run.heap and strays:
            self._world.people.collect(run.heap.keeper(self._world.people.root), ())
        self._world.reply(run.request, result=answer, kept=kept, fingerprint=files.fingerprint(manifest))
        if kept:
            self._world.keep(run.request["to"], run.heap or run.snapshot.heap, manifest)
        self._world.snapshots.release(run.snapshot.heap)
        run.close()
        self._release_slot(run)

    def _settle(self, run, manifest, strays, kept):
        heap = run.heap
        if not kept:
            self._world.bury(heap)
            return
        heap.slot, heap.manifest, heap.toil = run.slot, manifest, time.monotonic() - run.started
        if strays:
            self._world.people.collect(heap, ())
        else:
            heap.stop()

    def _scan(self, run):
        if not run.slot.intact():
            run.fail("killed", "the workspace folder itself was moved or removed")
            return {}
        try:
            return run.slot.scan(run.limits)
        except files.TooMuch as error:
            run.fail("output", str(error))
            return {}

    def _forget(self, run):
        del self.runs[run.request["id"]]
        self._world.people.calls.discard(run.pid)
        if run.line:
            run.snapshot.heap.expecting -= 1
        for fd in [run.line and run.line.sock, run.pidfd, *(s.fd for s in run.streams if s.open)]:
            self._world.events.unwatch(fd)

    def _release_slot(self, run):
        self._world.slots.give(run.slot)
        if self._world.slots.idle():
            self._world.slots.tidy(*SCRATCH)
            held = self._world.room.used()[0] - self._world.slots.size()
            if held > self._world.settings["limits"]["disk"]:
                self._world.snapshots.drop_oldest()  # frozen interpreters hold deleted files open

    def tick(self):
        now = time.monotonic()
        others = self._world.people.others()
        if self._world.people.strays(others):
            self._world.people.sweep()
        self._check_room()
        for run in list(self.runs.values()):
            members = {pid for pid, owner in others.items() if owner == run.pid}
            run.measure(members)
            run.check(now, members)
            if run.failure and run.request["id"] in self.runs:
                self.finish(run)
        for heap in [h for h in self._world.people.heaps.values() if h.overdue(now)]:
            self._world.lose(heap)

    def _check_room(self):
        """Fail calls that fill the disk."""
        limits = self._world.settings["limits"]
        if not self._world.room.over(limits, 1):
            return
        guilty = [run for run in self.runs.values() if run.slot.exceeds(limits)]
        if not guilty and self._world.room.over(limits, len(self.runs)):
            guilty = list(self.runs.values())  # it is written where no slot is: whose it is cannot be told
        for run in guilty:
            run.fail("output", f"it wrote more than {limits['disk']} bytes or {limits['inodes']} files and was killed")
