"""Process 1 of the world. It keeps snapshots and files, starts calls, enforces their limits, and never runs user code.

Frames from the host on stdin, answers on stdout. Everything that comes out of a node, a program or the workspace is
hostile. When stdin ends, so does the world.
"""

import base64
import contextlib
import os
import selectors
import sys
import time

from guest import facts, files, heaps, processes, program
from guest.frames import BrokenFrame, Inbox, encode
from guest.population import Population
from guest.room import Room
from guest.runs import Run, cell_result
from guest.slots import Slots
from guest.snapshots import ROOT, Missing, Snapshots
from guest.warm import Warm

SLOTS, SCRATCH = "/slots", ("/tmp", "/dev/shm")
_TICK_S = 0.05
_HOST_FRAME = 1 << 30
_KEPT = (None, "raised", "protocol")
"""After these a call's state is a snapshot; after any other the call has left no trace."""


class Supervisor:
    def __init__(self, pid, fd, expendable):
        """`pid` and `fd` are the root node's."""
        root = heaps.root(pid, fd)
        self._expendable = expendable
        self._selector = selectors.DefaultSelector()
        self._host = Inbox(_HOST_FRAME)
        self._people = Population(root)
        self._store = files.Store()
        self._slots, self._room = Slots(SLOTS, self._store), Room(SLOTS)
        self._snapshots = Snapshots(self._people, self._store, self._bury)
        self._runs = {}
        self._settings, self._opening = {}, None
        self._warm = {}
        self._ticked = 0.0
        os.set_blocking(0, False)
        self._watch(0, self._from_host)
        self._watch(root.line.sock, lambda: self._from_heap(root))

    def serve(self):
        """Ticks go on until one has seen the world at rest."""
        resting = True
        while True:
            for key, _ in self._selector.select(None if resting else _TICK_S):
                if self._selector.get_map().get(key.fd) is key:  # an earlier event may have ended it
                    key.data()
            resting = resting and not self._runs
            if not resting and time.monotonic() - self._ticked > _TICK_S:
                resting = not self._runs
                self._tick()

    # --- the host ---

    def _from_host(self):
        try:
            data = os.read(0, 1 << 20)
        except BlockingIOError:
            return
        if not data:
            os._exit(0)
        for request in self._host.feed(data):
            try:
                getattr(self, "_op_" + request["op"])(request)
            except Missing as missing:
                self._reply(request, missing=str(missing))
            except files.TooMuch as refusal:
                self._reply(request, refused=str(refusal))

    def _reply(self, request, **fields):
        data = memoryview(encode({"id": request["id"], **fields}))
        while data:
            data = data[os.write(1, data) :]

    def _op_ping(self, request):
        self._reply(request, facts=facts.gather(request["paths"], request["port"]))

    def _op_open(self, request):
        self._settings = request["settings"]
        self._opening = request
        self._people.root.ask({"op": "configure", **self._settings})

    def _opened(self):
        request, self._opening = self._opening, None
        try:
            manifest = self._with_files({}, request["files"])
        except files.TooMuch as refusal:
            self._reply(request, refused=str(refusal))
            return
        self._keep(ROOT, self._people.root, manifest)
        self._reply(request, snapshot=ROOT)

    def _op_put(self, request):
        at = self._snapshots[request["at"]]
        manifest = self._with_files(at.manifest, request["files"])
        self._keep(request["to"], at.heap, manifest)
        self._reply(request, fingerprint=files.fingerprint(manifest))

    def _op_get(self, request):
        manifest = self._snapshots[request["at"]].manifest
        found = {p: manifest[p] for p in request["paths"] if p in manifest and manifest[p].kind == "f"}
        contents = {p: base64.b64encode(self._store[e.content]).decode() for p, e in found.items()}
        self._reply(request, files=contents)

    def _op_release(self, request):
        for name in request["snapshots"]:
            if name in self._snapshots:
                self._snapshots.drop(name)
        self._reply(request, released=True)

    def _op_cancel(self, request):
        run = self._runs.get(request["run"])
        if run:
            run.fail("killed", "it was cancelled")
            self._finish(run)
        self._reply(request, cancelled=bool(run))

    def _with_files(self, manifest, encoded):
        contents = {path: base64.b64decode(text) for path, text in encoded.items()}
        result = files.written(manifest, contents, self._store)
        files.check(result, self._settings["limits"])
        return result

    # --- snapshots ---

    def _keep(self, name, heap, manifest):
        self._snapshots.keep(name, heap, manifest)
        starting = [run.snapshot.manifest for run in self._runs.values()]
        others = [*starting, *self._slots.manifests()]
        self._snapshots.shorten(heap)
        self._snapshots.make_room(name, self._settings["nodes"], self._settings["store"], others)

    def _lose(self, heap):
        """A heap has died or broken the protocol: snapshots that stand on it are gone."""
        if heap is self._people.root:
            sys.exit("the root node has died")
        self._snapshots.lose(heap)
        for run in [r for r in self._runs.values() if r.snapshot.heap is heap and not r.pid]:
            self._abandon(run)
        if heap.alive:
            self._bury(heap)

    def _bury(self, heap):
        self._unwatch(heap.line.sock)
        self._unwatch(heap.pidfd)
        self._people.bury(heap)

    # --- calls ---

    def _op_run(self, request):
        snapshot = self._snapshots[request["at"]]
        before, alone = self._room.used(), not self._runs
        run = Run(request, snapshot, self._slots.take(snapshot.manifest))
        self._room.settle(before, alone)
        run.limits["total_processes"] = self._settings["limits"]["total_processes"]
        self._runs[request["id"]] = run
        self._snapshots.use(snapshot.heap)
        try:
            self._start_cell(run) if request["state"] == "heap" else self._start_program(run)
        except OSError as error:
            if request["state"] == "heap":
                self._lose(snapshot.heap)
            else:
                run.fail("killed", f"it could not be started: {error.strerror}")
                self._finish(run)

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
        self._watch(run.line.sock, lambda: self._greeted(run))

    def _greeted(self, run):
        self._unwatch(run.line.sock)
        try:
            heap = heaps.greeting(run.line, run.snapshot.heap, self._people.knows)
        except heaps.NoChild:
            run.fail("killed", "there was no room for another process")
            self._finish(run)
            return
        if heap is None:
            self._lose(run.snapshot.heap)
            return
        run.snapshot.heap.expecting -= 1
        run.line = None
        run.heap, run.pid = heap, heap.pid
        self._people.heaps[heap.pid] = heap
        self._people.calls.add(heap.pid)
        self._watch(heap.line.sock, lambda: self._from_heap(heap))
        self._watch(heap.pidfd, lambda: self._ended(heap))
        self._watch_writing(heap)

    def _start_program(self, run):
        request = run.request
        content, arguments = base64.b64decode(request["program"]), request["arguments"].encode()
        warm = self._warmed(content) if request["warm"] else None
        with self._expendable:
            if warm:
                run.pid, out, err = warm.start(run.slot, arguments, run.limits)
            else:
                run.pid, out, err = program.start(run.slot, content, arguments, run.limits, self._settings)
        self._people.calls.add(run.pid)
        run.pidfd = os.pidfd_open(run.pid)
        self._watch(run.pidfd, lambda: self._exited(run))
        self._listen(run.capture(out, factor=8), run)
        self._listen(run.capture(err), run)

    def _warmed(self, content):
        """The process that holds this program, None while it is not loaded yet."""
        held = self._warm.get(content)
        if held and held.pid not in self._people.servants:
            held.close()
            held = None
        if held is None:
            with self._expendable:
                held = self._warm[content] = Warm(content, self._settings)
            self._people.servants.add(held.pid)
        return held if held.ready() else None

    def _listen(self, stream, run):
        def read():
            if not stream.read():
                self._unwatch(stream.fd)
                stream.close()
            elif stream.exceeded:
                run.check(time.monotonic(), ())
                self._finish(run)

        self._watch(stream.fd, read)

    def _from_heap(self, heap):
        run = next((r for r in self._runs.values() if r.heap is heap), None)
        try:
            messages = heap.line.receive()
        except BrokenFrame:
            messages = None
        if messages is None:
            self._ended(heap)
            return
        for message in messages:
            if run and "cell" in message:
                self._finish(run, cell_result(message))
                run = None
            elif heap is self._people.root and self._opening:
                self._opened()
                heap.answered()
            else:
                heap.answered()

    def _ended(self, heap):
        run = next((r for r in self._runs.values() if r.heap is heap), None)
        if run is None:
            self._lose(heap)
            return
        seen = processes.stat(heap.pid)
        run.measure(())
        run.died(seen.status if seen and seen.state == "Z" else None)
        self._finish(run)

    def _exited(self, run):
        self._people.reap()
        status, used = self._people.exits.pop(run.pid, (9, 0.0))
        run.cpu_s = max(run.cpu_s, used)
        if os.WIFSIGNALED(status):
            run.died(status)
        self._finish(run, {"status": os.waitstatus_to_exitcode(status)})

    def _abandon(self, run):
        """The snapshot was lost before the call began."""
        self._forget(run)
        self._release_slot(run)
        run.close()
        self._reply(run.request, missing=run.request["at"])

    def _finish(self, run, result=None):
        """The call is over: clear up after it, keep its state if it has one, answer."""
        alone = run.heap and not run.failure and self._people.childless(run.heap)
        others = {} if alone else self._people.others()
        run.measure({pid for pid, owner in others.items() if owner == run.pid})
        self._forget(run)
        if run.failure and run.heap:
            self._bury(run.heap)
        elif run.failure and run.pid:
            processes.kill(run.pid)
        strays = self._people.sweep() if others or run.failure else set()
        self._people.reap()
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
            self._people.collect(run.heap.keeper(self._people.root), ())
        self._reply(run.request, result=answer, kept=kept, fingerprint=files.fingerprint(manifest))
        if kept:
            self._keep(run.request["to"], run.heap or run.snapshot.heap, manifest)
        self._snapshots.release(run.snapshot.heap)
        run.close()
        self._release_slot(run)

    def _settle(self, run, manifest, strays, kept):
        heap = run.heap
        if not kept:
            self._bury(heap)
            return
        heap.slot, heap.manifest, heap.toil = run.slot, manifest, time.monotonic() - run.started
        if strays:
            self._people.collect(heap, ())
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
        del self._runs[run.request["id"]]
        self._people.calls.discard(run.pid)
        if run.line:
            run.snapshot.heap.expecting -= 1
        for fd in [run.line and run.line.sock, run.pidfd, *(s.fd for s in run.streams if s.open)]:
            self._unwatch(fd)

    def _release_slot(self, run):
        self._slots.give(run.slot)
        if self._slots.idle():
            self._slots.tidy(*SCRATCH)
            held = self._room.used()[0] - self._slots.size()
            if held > self._settings["limits"]["disk"]:
                self._snapshots.drop_oldest()  # frozen interpreters hold deleted files open

    # --- time ---

    def _tick(self):
        self._ticked = now = time.monotonic()
        others = self._people.others()
        if self._people.strays(others):
            self._people.sweep()
        self._check_room()
        for run in list(self._runs.values()):
            members = {pid for pid, owner in others.items() if owner == run.pid}
            run.measure(members)
            run.check(now, members)
            if run.failure and run.request["id"] in self._runs:
                self._finish(run)
        for heap in [h for h in self._people.heaps.values() if h.overdue(now)]:
            self._lose(heap)

    def _check_room(self):
        """Fail calls that fill the disk."""
        limits = self._settings["limits"]
        if not self._room.over(limits, 1):
            return
        guilty = [run for run in self._runs.values() if run.slot.exceeds(limits)]
        if not guilty and self._room.over(limits, len(self._runs)):
            guilty = list(self._runs.values())  # it is written where no slot is: whose it is cannot be told
        for run in guilty:
            run.fail("output", f"it wrote more than {limits['disk']} bytes or {limits['inodes']} files and was killed")

    # --- events ---

    def _watch(self, fd, action):
        self._selector.register(fd, selectors.EVENT_READ, action)

    def _watch_writing(self, heap):
        """A frame did not fit into the socket: send the rest as the node reads."""
        try:
            if heap.line.flush():
                return
        except OSError:  # its end will be noticed by itself
            return

        def write():
            try:
                done = heap.line.flush()
            except OSError:
                done = True
            if done:
                self._selector.modify(heap.line.sock, selectors.EVENT_READ, read)
            read()

        read = self._selector.get_key(heap.line.sock).data
        self._selector.modify(heap.line.sock, selectors.EVENT_READ | selectors.EVENT_WRITE, write)

    def _unwatch(self, fd):
        try:
            self._selector.unregister(fd)
        except (KeyError, ValueError):
            return
