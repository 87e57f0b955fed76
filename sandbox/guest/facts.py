"""What this world is, as the kernel tells it: the host compares it with what was promised."""

import os
import socket
import sys

_LINES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")


def gather(paths, port):
    """`paths` of the host that must not exist here, and a `port` on which only the host's own loopback listens."""
    with open("/proc/self/status") as file:
        status = dict(line.partition(":")[::2] for line in file)
    return {
        "pid": os.getpid(),
        "uid": os.getuid(),
        "status": {name: status.get(name, "").strip() for name in _LINES},
        "namespaces": {name: _namespace(name) for name in ("ipc", "mnt", "net", "pid", "uts")},
        "visible": [path for path in paths if os.path.lexists(path)],
        "writable": [path for path in ("/", "/usr", "/opt/reasoner", "/etc/passwd") if os.access(path, os.W_OK)],
        "reached": _reaches(port),
        "python": list(sys.version_info[:2]),
    }


def _namespace(name):
    try:
        return os.readlink(f"/proc/self/ns/{name}")
    except OSError:
        return ""


def _reaches(port):
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
