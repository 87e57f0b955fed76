"""What /proc says about the processes of this world. Kernel facts only; nothing that a process says of itself."""

import collections
import os
import signal

from guest import kernel

Stat = collections.namedtuple("Stat", "state parent children_s status")
_TICK = os.sysconf("SC_CLK_TCK")


def listing():
    return {int(name) for name in os.listdir("/proc") if name.isdigit()}


def children(pid):
    """Living and dead children of a process, None where this kernel does not list them."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", "rb", 0) as file:
            return set(map(int, file.read().split()))
    except OSError:
        return None


def stat(pid):
    """State letter, parent, CPU seconds of children that were waited for, exit status; None when it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fields = os.read(fd, 1 << 12).rpartition(b")")[2].split()
    except ProcessLookupError:
        return None
    finally:
        os.close(fd)
    children = (int(fields[13]) + int(fields[14])) / _TICK
    return Stat(fields[0].decode(), int(fields[1]), children, int(fields[49]))


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


def cpu(pid):
    """CPU seconds of a process and of its children that were waited for."""
    own, seen = kernel.cpu_seconds(pid), stat(pid)
    return (own or 0.0) + (seen.children_s if seen else 0.0)


def kill(pid, number=signal.SIGKILL):
    try:
        os.kill(pid, number)
    except OSError:
        return False
    return True


def lost_threads(pid):
    """A sentence about the threads that a fork will not take along, empty when there are none."""
    try:
        count = os.stat(f"/proc/{pid}/task").st_nlink - 3
    except OSError:
        return ""
    return f"{count} of its threads do not go on in the next call" if count > 0 else ""


def describe(status):
    """A wait status in words."""
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        name = signal.Signals(number).name if number in set(signal.Signals) else str(number)
        return f"it was ended by the signal {name}"
    return f"it ended itself with exit code {os.WEXITSTATUS(status)}"
