"""Process 1 of the world. It answers the host, keeps snapshots and files, and never runs user code.

Frames from the host on stdin, answers on stdout. Everything that comes out of a node, a program or the workspace is
hostile. When stdin ends, so does the world.
"""

import base64
import os
import sys
import time

from guest import facts, files, heaps
from guest.births import SHARE
from guest.calls import SCRATCH, Calls
from guest.events import Events
from guest.frames import Inbox, encode
from guest.population import Population
from guest.room import Room
from guest.slots import Slots
from guest.snapshots import ROOT, Missing, Snapshots

SLOTS = "/slots"
_TICK_S = 0.05
_HOST_FRAME, _PIECE = 1 << 30, 1 << 16


class Supervisor:
    def __init__(self, pid, fd, expendable):
        """`pid` and `fd` are the root node's."""
        root = heaps.root(pid, fd)
        self.expendable = expendable
        self.events = Events()
        self._host = Inbox(_HOST_FRAME)
        self.people = Population(root)
        self._store = files.Store()
        self.slots, self.room = Slots(SLOTS, self._store), Room(SLOTS)
        self.snapshots = Snapshots(self.people, self._store, self.bury)
        self.calls = Calls(self)
        self.settings, self.opening = {}, None
        self._traffic = None
        """What TCP had done when the world was last found fresh."""
        self._ticked = 0.0
        os.set_blocking(0, False)
        self.events.watch(0, self._from_host)
        self.events.watch(root.line.fd, lambda: self.calls.from_heap(root))

    def serve(self):
        """Ticks go on until one has seen the world at rest."""
        resting = True
        while True:
            self.events.happen(None if resting else _TICK_S)
            resting = resting and not self.calls
            if not resting and time.monotonic() - self._ticked > _TICK_S:
                resting, self._ticked = not self.calls, time.monotonic()
                self.calls.tick()

    # --- the host ---

    def _from_host(self):
        try:
            data = os.read(0, _PIECE)
        except BlockingIOError:
            return
        if not data:
            os._exit(0)
        for request in self._host.feed(data):
            try:
                getattr(self, "_op_" + request["op"])(request)
            except Missing as missing:
                self.reply(request, missing=str(missing))
            except files.TooMuch as refusal:
                self.reply(request, refused=str(refusal))

    def reply(self, request, **fields):
        data = memoryview(encode({"id": request["id"], **fields}))
        while data:
            data = data[os.write(1, data) :]

    def _op_ping(self, request):
        self.reply(request, facts=facts.gather(request["paths"], request["port"]))

    def _op_open(self, request):
        self.settings = request["settings"]
        self.opening = request
        self.people.spare = self.settings["nodes"] // SHARE
        self.people.root.ask(("configure", self.settings))

    def opened(self):
        request, self.opening = self.opening, None
        try:
            manifest = self._with_files({}, request["files"])
        except files.TooMuch as refusal:
            self.reply(request, refused=str(refusal))
            return
        self.keep(ROOT, self.people.root, manifest)
        self.reply(request, snapshot=ROOT)

    def _op_run(self, request):
        self.calls.begin(request)

    def _op_put(self, request):
        at = self.snapshots[request["at"]]
        manifest = self._with_files(at.manifest, request["files"])
        self.keep(request["to"], at.heap, manifest)
        self.reply(request, fingerprint=files.fingerprint(manifest))

    def _op_get(self, request):
        manifest = self.snapshots[request["at"]].manifest
        found = {p: manifest[p] for p in request["paths"] if p in manifest and manifest[p].kind == "f"}
        contents = {p: base64.b64encode(self._store[e.content]).decode() for p, e in found.items()}
        self.reply(request, files=contents)

    def _op_release(self, request):
        for name in request["snapshots"]:
            if name in self.snapshots:
                self.snapshots.drop(name)
        self.reply(request, released=True)

    def _op_forget(self, request):
        """Release everything; the answer says whether the world is now as it was opened."""
        self.snapshots.drop_all()
        self.people.collect_all()
        alone = set(self.people.heaps) == {self.people.root.pid} and not self.people.others() and not self.calls
        folders, traffic = [*SCRATCH, *self.slots.workspaces()], facts.traffic()
        silent = traffic is not None and traffic == self._traffic
        fresh = alone and self.slots.intact() and facts.untouched(folders, silent)
        self._traffic = traffic if fresh else None
        self.reply(request, fresh=fresh)

    def _op_cancel(self, request):
        run = self.calls.runs.get(request["run"])
        if run:
            run.fail("killed", "it was cancelled")
            self.calls.finish(run)
        self.reply(request, cancelled=bool(run))

    def _with_files(self, manifest, encoded):
        contents = {path: base64.b64decode(text) for path, text in encoded.items()}
        result = files.written(manifest, contents, self._store)
        files.check(result, self.settings["limits"])
        return result

    # --- snapshots ---

    def keep(self, name, heap, manifest):
        self.snapshots.keep(name, heap, manifest)
        starting = [run.snapshot.manifest for run in self.calls.runs.values()]
        others = [*starting, *self.slots.manifests()]
        self.snapshots.shorten(heap)
        self.snapshots.make_room(name, self.settings["nodes"], self.settings["store"], others)

    def lose(self, heap):
        """A heap has died or broken the protocol: snapshots that stand on it are gone."""
        if heap is self.people.root:
            sys.exit("the root node has died")
        self.snapshots.lose(heap)
        for run in [r for r in self.calls.runs.values() if r.snapshot.heap is heap and not r.pid]:
            self.calls.abandon(run)
        if heap.alive:
            self.bury(heap)

    def bury(self, heap):
        self.events.unwatch(heap.line.fd)
        self.events.unwatch(heap.pidfd)
        self.people.bury(heap)
        self.calls.births.died(heap)
