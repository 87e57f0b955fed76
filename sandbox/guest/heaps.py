"""The frozen interpreters, as the supervisor sees them: a process id, a socket, and how many snapshots stand on each.

A node ran hostile code, so it is believed in nothing: its process id comes from the kernel, its frames are bounded, and
it is stopped whenever it has nothing to do.
"""

import os
import signal
import socket
import struct
import time

from guest import node, processes
from guest.frames import Line, encode

_REPLY = 8 << 20
_PATIENCE_S = 10.0
_CREDENTIALS = struct.Struct("3i")


class Heap:
    """One interpreter process. `uses` counts snapshots and calls that start here, `expecting` children that have not
    said hello, `owing` answers that it still owes us."""

    def __init__(self, pid, line, parent=None):
        self.pid, self.line, self.parent = pid, line, parent
        self.pidfd = os.pidfd_open(pid)
        self.alive, self.uses, self.expecting, self.owing = True, 0, 0, 0
        self.woken = time.monotonic()

    def ask(self, message, fds=()):
        """Wake the node with one request. Raises OSError when it is gone or does not listen."""
        self.woken = time.monotonic()
        self.owing += 1
        processes.kill(self.pid, signal.SIGCONT)
        if not fds:
            self.line.send(message)
        elif self.line.flush():
            socket.send_fds(self.line.sock, [encode(message)], fds)
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

    def keeper(self, root):
        """Who has to wait for it and for its orphans once it is dead: its parent, or the nearest ancestor that adopts,
        which the root does not. None is the supervisor."""
        keeper = self.parent
        while keeper and not keeper.alive:
            keeper = keeper.parent if keeper.parent is not root else None
        return keeper

    def close(self):
        self.alive = False
        self.line.close()
        os.close(self.pidfd)


def root():
    """The root node, whose parent is the supervisor."""
    pid, sock = node.spawn()
    return Heap(pid, Line(sock, _REPLY))


def fork(parent, output):
    """Ask `parent` for a child that writes to `output`; our end of the child's socket, on which it will say hello."""
    ours, theirs = socket.socketpair()
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    try:
        parent.ask({"op": "fork"}, [theirs.fileno(), output])
        parent.expecting += 1
    except OSError:
        ours.close()
        raise
    finally:
        theirs.close()
    return ours


class NoChild(Exception):
    """There was no room for another process."""


def greeting(sock, parent, known):
    """The child that says hello on `sock`, None when what speaks there cannot be it. Raises NoChild."""
    data, ancillary, _, _ = sock.recvmsg(1 << 10, socket.CMSG_SPACE(_CREDENTIALS.size))
    if not data:
        raise NoChild
    sent = [d for level, kind, d in ancillary if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS)]
    pid = _CREDENTIALS.unpack(sent[0])[0] if sent else 0
    if pid <= 1 or pid in known or data != encode({"hello": True}):
        return None
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
    return Heap(pid, Line(sock, _REPLY), parent)
