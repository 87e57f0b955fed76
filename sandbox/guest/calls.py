"""Calls in flight: begun on a snapshot, listened to, measured while they run, and cleared up after.

Everything that comes out of a node or a program is hostile.
"""

import base64
import contextlib
import os
import signal
import time

from guest import files, kernel, processes, program
from guest.births import Births
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
        self.births = Births(world)
        self._programs, self._warm = {}, {}

    def __bool__(self):
        """Whether there is something to look after."""
        return bool(self.runs or self.births)

    def begin(self, request):
        """Start the call that the host asks for. Raises Missing."""
        snapshot = self._world.snapshots[request["at"]]
        before = self._world.room.used() if self.runs else None
        run = Run(request, snapshot, self._world.slots.take(snapshot.manifest))
        self._world.room.settle(before, len(request.get("arguments", "")))
        run.limits["total_processes"] = self._world.settings["limits"]["total_processes"]
        self.runs[request["id"]] = run
        self._world.snapshots.use(snapshot.heap)
        try:
            self._start_cell(run) if request["state"] == "heap" else self._start_program(run)
        except files.TooMuch as refusal:
            run.fail("refused", str(refusal))
            self.finish(run)
        except OSError as error:
            if request["state"] == "heap":
                self._world.lose(snapshot.heap)
            else:
                run.fail("killed", f"it could not be started: {error.strerror}")
                self.finish(run)

    def _start_cell(self, run):
        above = run.snapshot.heap
        above.begun += 1
        birth = run.birth = self.births.child(above, run)
        self._listen(run.capture(birth.output), run)
        slot, moved = run.slot, (run.slot, run.snapshot.manifest) != (above.slot, above.manifest)
        with contextlib.suppress(OSError):  # there is no child: the greeting will tell
            place, bounds = (slot.files, slot.tmp), kernel.bounds(run.limits)
            limits = run.limits["wall_s"], run.limits["output"]
            birth.line.send(("cell", run.request["code"], place, moved, bounds, *limits))
        if birth.heap:
            processes.kill(birth.heap.pid, signal.SIGCONT)
            self.born(run, birth.heap)

    def born(self, run, heap):
        """The interpreter of a call is there."""
        run.heap, run.pid = heap, heap.pid
        self._world.people.calls.add(heap.pid)
        self._world.events.watch_writing(heap)

    def unborn(self, run):
        run.fail("killed", "there was no room for another process")
        self.finish(run)

    def _start_program(self, run):
        request = run.request
        content, arguments = self._program(request), request["arguments"].encode()
        size, most = len(content) + len(arguments), run.limits["disk"]
        if size > most:
            raise files.TooMuch(f"its program and input came to {size} bytes; {most} are allowed")
        warm = self._warmed(content) if request["warm"] else None
        with program.streams(run.slot, arguments) as (given, (out, err)), self._world.expendable:
            if warm:
                run.pid, run.warm = warm.start(run.slot, given, run.limits), warm
            else:
                run.pid = program.start(run.slot, given, content, run.limits, self._world.settings)
        self._world.people.calls.add(run.pid)
        run.pidfd = os.pidfd_open(run.pid)
        self._world.events.watch(run.pidfd, lambda: self._exited(run))
        self._listen(run.capture(out, factor=8), run)
        self._listen(run.capture(err), run)

    def _program(self, request):
        """What is to be run; what was sent once is kept."""
        name = request.get("digest")
        if "program" in request:
            self._programs[name] = base64.b64decode(request["program"])
        return self._programs[name]

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
            self.ended(heap)
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

    def ended(self, heap):
        run = next((r for r in self.runs.values() if r.heap is heap), None)
        if run is None:
            self._world.lose(heap)
            return
        seen = processes.stat(heap.pid)
        run.measure(())
        run.died(seen.status if seen and seen.state == "Z" else None)
        self.finish(run)

    def _exited(self, run):
        status, used = self._ending(run)
        run.cpu_s = max(run.cpu_s, used)
        if os.WIFSIGNALED(status):
            run.died(status)
        self.finish(run, {"status": os.waitstatus_to_exitcode(status)})

    def _ending(self, run):
        """Wait status and CPU seconds of a program that is dead, or is just being killed."""
        if run.warm:
            warm, run.warm = run.warm, None
            return warm.ending(run.pid)
        self._world.people.reap()
        return self._world.people.exits.pop(run.pid, (signal.SIGKILL, 0.0))

    def abandon(self, run):
        """The snapshot was lost before the call began."""
        self._forget(run)
        self._release_slot(run)
        run.close()
        self._world.reply(run.request, missing=run.request["at"])

    def finish(self, run, result=None):
        """The call is over: clear up after it, keep its state if it has one, answer."""
        alone = run.heap and not run.failure and self._world.people.childless(run.heap)
        seen = processes.stat(run.pid) if run.heap else None
        lost = processes.lost_threads(seen)
        if alone and not lost and result["error"] in _KEPT and run.snapshot.heap.begun == 1:
            self.births.prepare(run.heap)
        others = {} if alone else self._world.people.others()
        run.measure({pid for pid, owner in others.items() if owner == run.pid}, seen)
        self._forget(run)
        if run.failure and run.heap:
            self._world.bury(run.heap)
        elif run.failure and run.pid:
            processes.kill(run.pid)
            if run.warm:
                self._ending(run)
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
            answer["degraded"] = "; ".join(filter(None, [answer["degraded"], lost]))
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
        elif not heap.owing:
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
        if run.birth:
            self.births.end(run.birth)
        for fd in [run.pidfd, *(s.fd for s in run.streams if s.open)]:
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
        self.births.expire(now)
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
