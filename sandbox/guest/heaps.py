"""The frozen interpreters, as the supervisor sees them: a process id, a socket, and how many snapshots stand on each.

A node ran hostile code, so it is believed in nothing: its process id comes from the kernel, its frames are bounded, and
it is stopped whenever it has nothing to do.
"""

import _socket
import os
import signal
import socket
import struct
import time

from guest import processes
from guest.frames import Line, order
from guest.node import HELLO

_REPLY = 8 << 20
_PATIENCE_S = 10.0
_CREDENTIALS = struct.Struct("3i")


class Heap:
    """One interpreter process. `uses` counts snapshots and calls that start here, `expecting` children that have not
    said hello, `owing` answers that it still owes us, `begun` calls that ever started here."""

    def __init__(self, pid, line, parent=None):
        self.pid, self.line, self.parent = pid, line, parent
        self.pidfd = os.pidfd_open(pid)
        self.alive, self.uses, self.expecting, self.owing, self.begun = True, 0, 0, 0, 0
        self.woken = time.monotonic()
        self.adopted = False
        """Whether its own parent has died, and another one has to wait for it."""
        self.slot = self.manifest = None
        """Where its cell ran, and the files that it left there."""
        self.toil = 0.0
        """Seconds that it took to make, those of dropped ones between it and the next living one included."""

    def ask(self, message, fds=()):
        """Wake the node with one request. Raises OSError when it is gone or does not listen."""
        self.woken = time.monotonic()
        self.owing += 1
        processes.kill(self.pid, signal.SIGCONT)
        if not fds:
            self.line.send(message)
        elif self.line.flush():
            socket.send_fds(self.line.sock, [order(message)], fds)
        else:
            raise BlockingIOError("the node does not read")

    def answered(self):
        """One answer less is owed; with none left the node stands still again."""
        self.owing = max(0, self.owing - 1)
        if not self.owing:
            self.stop()

    def stop(self):
        processes.kill(self.pid, signal.SIGSTOP)

    def overdue(self, now):
        return self.owing > 0 and now - self.woken > _PATIENCE_S

    def lineage(self):
        """The living heaps that it descends from, itself and the nearest first."""
        at, found = self, []
        while at:
            found.append(at)
            at = at.above()
        return found

    def above(self):
        """The nearest ancestor that lives. The dead ones between are forgotten."""
        while self.parent and not self.parent.alive:
            self.parent, self.adopted = self.parent.parent, True
        return self.parent

    def keeper(self, root):
        """Who has to wait for it and for its orphans once it is dead: its parent, or the nearest ancestor that adopts,
        which the root does not. None is the supervisor."""
        above = self.above()
        return None if self.adopted and above is root else above

    def close(self):
        self.alive = False
        self.line.close()
        os.close(self.pidfd)


def root(pid, fd):
    """The root node, which is there already: its process id, and our end of its socket."""
    return Heap(pid, Line(socket.socket(fileno=fd), _REPLY))


def fork(parent, output):
    """Ask `parent` for a child that writes to `output`; our line to it, on which it will say hello. What is sent on it
    now reaches the child, and nobody else."""
    ours, theirs = _socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    try:
        parent.ask(("fork",), [theirs.fileno(), output])
        parent.expecting += 1
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return Line(ours, _REPLY)


class NoChild(Exception):
    """There was no room for another process."""


def greeting(line, parent, knows):
    """The child that says hello on `line`, None when what speaks there cannot be it. Raises NoChild."""
    try:
        data, ancillary, _, _ = line.sock.recvmsg(len(HELLO), socket.CMSG_SPACE(_CREDENTIALS.size))
    except ConnectionError as error:
        raise NoChild from error
    if not data:
        raise NoChild
    sent = [d for level, kind, d in ancillary if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)]
    pid = _CREDENTIALS.unpack(sent[0])[0] if sent else 0
    if knows(pid) or data != HELLO:
        return None
    line.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
    return Heap(pid, line, parent)
