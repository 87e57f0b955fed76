"""A node: an interpreter that ran one cell and froze. Asked to fork, its child runs the next cell and freezes in turn.

The node itself never changes again, so every cell is a place to come back to. The supervisor stops the process between
requests: threads and timers that the code left behind stand still too.

What a child touches is copied, page by page, and what is loaded here is passed on at every fork: so little is imported
here, and a child does nothing that its parent's state does not ask for.
"""

import _socket
import _thread
import builtins
import contextlib
import gc
import marshal
import os
import signal
import sys
import types
import warnings

from guest import cell, kernel, openfiles
from guest.frames import Inbox, cell_frame, encode

HELLO, DONE = encode({"hello": True}), encode({"done": True})
_FRAME, _PIECE = 64 << 20, 1 << 13
_TWO_FDS = _socket.CMSG_SPACE(8)
_make_child = os.fork  # a cell may put something else in its place


def root(control):
    """Be the root node: a bare interpreter, forked from the supervisor before anything was there to be seen."""
    kernel.hide()
    for fd in {int(name) for name in os.listdir("/proc/self/fd")} - {0, 1, 2, control.fileno()}:
        with contextlib.suppress(OSError):  # the listing's own is closed already
            os.close(fd)
    _silence(0, 1, 2)
    Node(control).serve()


class Node:
    def __init__(self, control):
        self._control = control
        self._inbox = Inbox(_FRAME, marshal.loads)
        self._pid, self._cells = os.getpid(), 0
        self._slot, self._bounds = "", ()
        self._do = {"configure": self._configure, "fork": self._fork, "cell": self._cell, "reap": self._reap}
        self._open, self._rest = [], []
        self._folder = ""
        sys.stdout.reconfigure(line_buffering=True, errors="backslashreplace")
        main = types.ModuleType("__main__")
        main.__builtins__ = builtins
        self._namespace = main.__dict__
        sys.modules["__main__"] = main

    def serve(self):
        """Answer the supervisor for ever; a child that was forked along the way goes on in this same loop."""
        while True:
            data, ancillary, _, _ = self._control.recvmsg(_PIECE, _TWO_FDS)
            if not data:
                os._exit(0)
            fds = ancillary and [fd for _, _, carried in ancillary for fd in memoryview(carried).cast("i")]
            for message in self._inbox.feed(data):
                self._do[message[0]](fds, *message[1:])

    def _configure(self, fds, settings):
        """Once, in the root: limits, filters, the place of packages; then forget that we were here."""
        os.nice(settings["nice"])
        kernel.bound(*kernel.bounds(settings["limits"]), hard=True)
        kernel.renounce_privileges()
        if settings["filter"]:
            kernel.filter_syscalls(bytes.fromhex(settings["filter"]))
        sys.path[:] = ["", *(p for p in sys.path if not p.startswith("/opt/reasoner")), *settings["packages"]]
        sys.argv = [""]
        for name in [n for n in sys.modules if n == "guest" or n.startswith("guest.")]:
            del sys.modules[name]
        gc.collect()
        gc.freeze()
        self._control.sendall(DONE)

    def _reap(self, fds, pids):
        """Wait for processes that the supervisor has killed, so that no zombie counts against the limit."""
        for pid in pids:
            try:
                os.waitpid(pid, 0)
            except OSError:
                continue
        kernel.reap_ended()
        self._control.sendall(DONE)

    def _fork(self, fds):
        kernel.reap_ended()
        random = sys.modules.get("random")
        state = random.getstate() if hasattr(random, "getstate") else None
        try:
            pid = _make_child() if not _thread._count() else _make_child_beside_threads()
        except OSError:  # no room for another process: the closed socket says so
            pid = -1
        if pid:
            for fd in fds:
                os.close(fd)
            return
        os.dup2(fds[0], self._control.fileno(), inheritable=False)
        os.dup2(fds[1], 1)
        os.dup2(fds[1], 2)
        for fd in fds:
            os.close(fd)
        if state:
            random.setstate(state)
        self._pid = os.getpid()
        os.setsid()
        kernel.adopt_orphans()
        kernel.scope_signals()
        self._control.send(HELLO)

    def _cell(self, fds, code, place, moved, bounds, seconds, value_limit):
        """Run the cell for which this process was forked, then freeze. `place`: its slot, and its temporary files'."""
        if moved or self._folder or self._open:
            self._move(*place)
        if bounds != self._bounds:
            kernel.bound(*bounds, hard=False)
            self._bounds = bounds
        self._cells += 1
        outcome = cell.execute(code, self._namespace, f"<cell {self._cells}>", seconds, value_limit)
        cell.flush()
        if os.getpid() != self._pid:  # the cell has forked, and this is its child
            os._exit(0)
        kernel.give_back()
        self._folder = _folder_in(self._slot)
        self._open, shared = openfiles.record(self._slot, {0, 1, 2, self._control.fileno()})
        kernel.reap_ended()
        self._control.sendall(cell_frame(outcome, [*self._rest, *shared]))

    def _move(self, slot, temporary):
        """Come to the slot in which this cell runs: its folder, its open files, its place for temporary files."""
        self._slot = slot
        try:
            os.chdir(f"{self._slot}/{self._folder}")
        except OSError:
            os.chdir(self._slot)
        self._rest = openfiles.reopen(self._open, self._slot)
        os.environ["TMPDIR"] = temporary
        if "tempfile" in sys.modules:
            sys.modules["tempfile"].tempdir = None
        if "importlib" in sys.modules:
            sys.modules["importlib"].invalidate_caches()


def _make_child_beside_threads():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # threads are reported when the node freezes
        return _make_child()


def _silence(*fds):
    quiet = os.open("/dev/null", os.O_RDWR)
    for fd in fds:
        os.dup2(quiet, fd)
    os.close(quiet)


def _folder_in(slot):
    """The working folder relative to the slot, as far as it is in it."""
    try:
        at = os.getcwd()
    except OSError:
        return ""
    return at[len(slot) + 1 :] if at.startswith(slot + "/") else ""


def spawn():
    """Fork the root node; its process id and the supervisor's end of its socket, as a descriptor."""
    ours, theirs = _socket.socketpair()
    pid = os.fork()
    if pid:
        theirs.close()
        return pid, ours.detach()
    try:
        ours.close()
        signal.set_wakeup_fd(-1)
        root(theirs)
    finally:
        os._exit(1)
