"""What /proc says about the processes of this world. Kernel facts only; nothing that a process says of itself."""

import collections
import os
import signal

from guest import kernel

Stat = collections.namedtuple("Stat", "state parent children_s threads status")
_TICK = os.sysconf("SC_CLK_TCK")


def listing():
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def children(pid):
    """Living and dead children of a process, None where this kernel does not list them."""
    listed = _read(f"/proc/{pid}/task/{pid}/children", 1 << 16)
    return None if listed is None else set(map(int, listed.split()))


def stat(pid):
    """State, parent, CPU seconds of children that were waited for, threads, exit status; None when it is gone."""
    line = _read(f"/proc/{pid}/stat", 1 << 12)
    if line is None:
        return None
    fields = line.rpartition(b")")[2].split()
    children = (int(fields[13]) + int(fields[14])) / _TICK
    return Stat(fields[0].decode(), int(fields[1]), children, int(fields[17]), int(fields[49]))


def _read(path, size):
    """What a file of /proc says in its first `size` bytes, None when it is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return os.read(fd, size)
    except ProcessLookupError:
        return None
    finally:
        os.close(fd)


def owned(pids, owners):
    """Of `pids`, those that are alive -> the first of `owners` among their ancestors, else 1."""
    stats = {pid: stat(pid) for pid in pids - owners}
    found = {}
    for pid, own in stats.items():
        if own is None or own.state in "ZX":
            continue
        at = own.parent
        while at not in owners and at > 1:
            above = stats.get(at) or stat(at)
            at = above.parent if above else 1
        found[pid] = at
    return found


def cpu(pid, seen=None):
    """CPU seconds of a process and of its children that were waited for, where `seen` already as its `stat` says."""
    own, seen = kernel.cpu_seconds(pid), seen or stat(pid)
    return (own or 0.0) + (seen.children_s if seen else 0.0)


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def lost_threads(seen):
    """A sentence about the threads that a fork will not take along, empty when there are none."""
    return f"{seen.threads - 1} of its threads do not go on in the next call" if seen and seen.threads > 1 else ""


def describe(status):
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        return f"it was ended by the signal {name}"
    return f"it ended itself with exit code {os.WEXITSTATUS(status)}"
