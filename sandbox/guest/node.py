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
from guest.frames import Inbox, encode

HELLO = encode({"hello": True})
_FRAME = 64 << 20
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
        self._slot = ""
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
            data, ancillary, _, _ = self._control.recvmsg(1 << 16, _TWO_FDS)
            if not data:
                os._exit(0)
            fds = [fd for _, _, carried in ancillary for fd in memoryview(carried).cast("i")]
            for message in self._inbox.feed(data):
                getattr(self, "_" + message["op"])(message, fds)

    def _say(self, message):
        self._control.sendall(encode(message))

    def _configure(self, message, fds):
        """Once, in the root: limits, filters, the place of packages; then forget that we were here."""
        os.nice(message["nice"])
        kernel.bound(message["limits"], hard=True)
        kernel.renounce_privileges()
        if message["filter"]:
            kernel.filter_syscalls(bytes.fromhex(message["filter"]))
        sys.path[:] = ["", *(p for p in sys.path if not p.startswith("/opt/reasoner")), *message["packages"]]
        sys.argv = [""]
        for name in [n for n in sys.modules if n == "guest" or n.startswith("guest.")]:
            del sys.modules[name]
        gc.collect()
        gc.freeze()
        self._say({"configured": True})

    def _reap(self, message, fds):
        """Wait for processes that the supervisor has killed, so that no zombie counts against the limit."""
        for pid in message["pids"]:
            try:
                os.waitpid(pid, 0)
            except OSError:
                continue
        _reap_ended()
        self._say({"reaped": True})

    def _fork(self, message, fds):
        _reap_ended()
        random = sys.modules.get("random")
        state = random.getstate() if hasattr(random, "getstate") else None
        try:
            pid = _make_child() if not _thread._count() else _make_child_beside_threads()
        except OSError:  # no room for another process: the closed socket says so
            pid = -1
        if pid:
            for fd in fds:
                os.close(fd)
            self._say({"forked": pid})
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

    def _cell(self, message, fds):
        """Run the cell for which this process was forked, then freeze."""
        if message["moved"] or self._folder or self._open:
            self._move(message)
        kernel.bound(message["limits"], hard=False)
        self._cells += 1
        outcome = cell.execute(
            message["code"],
            self._namespace,
            f"<cell {self._cells}>",
            message["limits"]["wall_s"],
            message["limits"]["output"],
        )
        cell.flush()
        if os.getpid() != self._pid:  # the cell has forked, and this is its child
            os._exit(0)
        self._folder = _folder_in(self._slot)
        self._open, shared = openfiles.record(self._slot, {0, 1, 2, self._control.fileno()})
        _reap_ended()
        self._say({"cell": outcome, "notes": [*self._rest, *shared]})

    def _move(self, message):
        """Come to the slot in which this cell runs: its folder, its open files, its place for temporary files."""
        self._slot = message["slot"]
        try:
            os.chdir(f"{self._slot}/{self._folder}")
        except OSError:
            os.chdir(self._slot)
        self._rest = openfiles.reopen(self._open, self._slot)
        os.environ["TMPDIR"] = message["tmp"]
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


def _reap_ended():
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


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
