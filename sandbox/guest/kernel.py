"""The few Linux calls that Python does not have: process attributes, system-call filter, Landlock, CPU clocks."""

import ctypes
import os
import resource
import time

_SET_DUMPABLE, _SET_SECCOMP, _SET_SUBREAPER, _SET_NO_NEW_PRIVS = 4, 22, 36, 38
_LANDLOCK_CREATE, _LANDLOCK_RESTRICT = 444, 446
_SCOPES = 0b11  # abstract unix sockets, signals
_libc = ctypes.CDLL(None, use_errno=True)
_call, _control, _trim, _wait = _libc.syscall, _libc.prctl, _libc.malloc_trim, _libc.waitpid


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_char_p)]


class _Ruleset(ctypes.Structure):
    _fields_ = [("files", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64)]


_WANTED = _Ruleset(0, 0, _SCOPES)
_WANTED_AT, _WANTED_BYTES = ctypes.c_void_p(ctypes.addressof(_WANTED)), ctypes.sizeof(_WANTED)
"""Made once: what is converted at a call touches pages, and every node makes these calls."""


def _prctl(option, value, address=0):
    return _control(option, value, address, 0, 0) == 0


def hide():
    """Nobody of the same user may read this process's memory or open its descriptors. An `execve` ends it."""
    return _prctl(_SET_DUMPABLE, 0)


def adopt_orphans():
    """Descendants whose parent dies become children of this process, so none gets away."""
    return _prctl(_SET_SUBREAPER, 1)


def reap_ended():
    """Wait for every child that has ended. No exception tells that there is none: it would cost a node ten pages."""
    while _wait(-1, None, os.WNOHANG) > 0:
        pass


def give_back():
    """Return to the kernel what the C library holds without need: a frozen node would keep it."""
    _trim(0)


def renounce_privileges():
    return _prctl(_SET_NO_NEW_PRIVS, 1)


def filter_syscalls(program):
    """Install a compiled BPF program for this process and all it starts."""
    loaded = _Program(len(program) // 8, program)
    if not _prctl(_SET_SECCOMP, 2, ctypes.byref(loaded)):
        raise OSError(ctypes.get_errno(), "the system-call filter cannot be installed")


def scope_signals():
    """From here on, signal only what this process starts (Landlock ABI 6), and trace nothing else.

    Returns False where the kernel cannot, or when 16 scopes are nested already: then the enclosing ones still hold.
    """
    fd = _call(_LANDLOCK_CREATE, _WANTED_AT, _WANTED_BYTES, 0)
    if fd < 0:
        return False
    done = _call(_LANDLOCK_RESTRICT, fd, 0, 0) == 0
    os.close(fd)
    return done


def cpu_seconds(pid):
    """CPU time of all threads of a process, None when it is gone."""
    try:
        return time.clock_gettime((~pid << 3) | 2)
    except OSError:
        return None


class Expendable:
    """While entered, what this process forks is killed before it when memory runs out. Made before hiding: a hidden
    process may not open its own score."""

    def __init__(self):
        self._score = os.open("/proc/self/oom_score_adj", os.O_WRONLY | os.O_CLOEXEC)

    def __enter__(self):
        os.write(self._score, b"1000")

    def __exit__(self, *problem):
        os.write(self._score, b"0")


def bounds(limits):
    """What `bound` needs of a call's limits: bytes of address space and of one file, processes of the user or 0."""
    return limits["memory"], limits["disk"], limits.get("total_processes") or 0


def bound(memory, disk, processes, *, hard):
    """Set this process's resource limits; soft ones leave room for a later call to differ."""
    wanted = {
        resource.RLIMIT_AS: memory,
        resource.RLIMIT_FSIZE: disk,
        resource.RLIMIT_NOFILE: 512,
        resource.RLIMIT_CORE: 0,
    }
    if processes:
        wanted[resource.RLIMIT_NPROC] = processes
    for kind, value in wanted.items():
        highest = resource.getrlimit(kind)[1]
        value = value if highest == resource.RLIM_INFINITY else min(value, highest)
        resource.setrlimit(kind, (value, value if hard else highest))
