"""What this world is, as the kernel tells it: the host compares it with what was promised."""

import os
import socket
import sys

_LINES = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")

_STREAMS = ("tcp", "tcp6")
_DATAGRAMS = ("udp", "udp6", "udplite", "udplite6", "raw", "raw6", "icmp", "icmp6")


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


def traffic():
    """The kernel's counters of what TCP did in this world; None where it keeps none."""
    try:
        with open("/proc/self/net/snmp") as file:
            return [line for line in file if line.startswith("Tcp:")]
    except FileNotFoundError:
        return None


def untouched(folders, silent):
    """Whether nothing is left that code could read or meet: `folders` are empty, and the network of this world knows no
    socket, not even one that is closed and waits for its port to be free again. Such a one has sent something, so where
    TCP was `silent` the kernel's table of them is left alone: it is long, and holds those of the whole machine."""
    kinds = _DATAGRAMS if silent else (*_STREAMS, *_DATAGRAMS)
    return not any(map(os.listdir, folders)) and all(map(_socketless, kinds))


def _socketless(kind):
    try:
        with open(f"/proc/self/net/{kind}") as file:
            return len(file.readlines()) == 1
    except FileNotFoundError:  # this kernel has no such sockets
        return True


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
