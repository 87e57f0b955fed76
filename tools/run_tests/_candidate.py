"""The candidate's own process for `asserts`: it imports the module and answers calls. No test ever enters it.

It descends from a zygote that was forked before the suite was read, so no memory of it holds a test.
"""

import contextlib
import importlib
import json
import os
import signal
import socket
import sys

from _describing import describe, root
from _ending import alarm
from _peer import Peer

REQUEST_BYTES = 65536
OWN = frozenset(name for name in vars(json) if name.startswith("__"))
"""Names that every module has of its own, such as `__file__`."""


class Zygote:
    """Forks candidates on demand."""

    def __init__(self):
        self.socket, theirs = socket.socketpair()
        self.pid = os.fork()
        if self.pid == 0:
            self.socket.close()
            serve(theirs)
        theirs.close()

    def spawn(self, module, test_s):
        """A peer that holds `module`, and its process id. Raises `OSError` when a candidate has killed the zygote."""
        ours, theirs = socket.socketpair()
        socket.send_fds(self.socket, [json.dumps([module, test_s]).encode()], [theirs.fileno()])
        theirs.close()
        pid = int.from_bytes(self.socket.recv(4), "big")
        if not pid:
            raise BrokenPipeError("the candidate ended the process that holds it")
        return Peer(ours, tests=True), pid

    def close(self):
        """End it and wait for it."""
        self.socket.close()
        end(self.pid)
        os.waitpid(self.pid, 0)


def end(pid):
    """Kill a process and what it leads."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def serve(requests):
    """The zygote's life: one fork a request, until the supervisor is gone."""
    try:
        silence()
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            data, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES, 1)
            if not data:
                break
            pid = os.fork()
            if pid == 0:
                os.setsid()
                requests.close()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                answer_calls(*json.loads(data), socket.socket(fileno=descriptors[0]))
            os.close(descriptors[0])
            requests.sendall(pid.to_bytes(4, "big"))
    finally:
        os._exit(0)


def answer_calls(module, test_s, channel):
    """Import the candidate, say which names it has, then do what is asked."""
    sys.dont_write_bytecode = True
    sys.path.insert(0, root())
    peer = Peer(channel, tests=False, seconds=test_s)
    peer.send(*loaded(peer, module))
    peer.names = False
    while True:
        match peer.receive():
            case ["ask", str(use), [*values]]:
                peer.answer(use, values)


def loaded(peer, module):
    """All names of the module, underscored ones too, or why there are none."""
    alarm(peer.seconds)
    try:
        names = vars(importlib.import_module(module))
        return "names", {name: peer.encode(value) for name, value in names.items() if name not in OWN}
    except BaseException as error:  # noqa: BLE001 - whatever the import of a candidate raises
        return "failed", describe(error, {})
    finally:
        alarm(0)


def silence():
    """Give up stdin, stdout and stderr: what a candidate prints goes nowhere."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nowhere, standard)
    os.close(nowhere)
