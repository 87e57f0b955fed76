"""How large a world is, derived from the limits of one call. The same sums for every kind of sandbox.

A world holds several calls and frozen interpreters at once, so it is larger than a call; how much larger is said here
and nowhere else.
"""

import os
from dataclasses import dataclass

from reasoner.errors import SandboxError
from reasoner.types import Limits

NODES = 256
"""Live interpreters that a world keeps; others are dropped and replayed when they are asked for again."""
_OVERHEAD = 128 * 2**20
_OURS = 16
_FEWEST = 8


@dataclass(frozen=True)
class Walls:
    """Bytes and counts for one world."""

    memory: int
    """Of all processes and all files together; enforced where a cgroup is."""
    slots: int
    scratch: int
    inodes: int
    pids: int
    user_pids: int
    """Processes of the world's user, enforced by an rlimit; 0 where that user is not the world's alone."""
    nodes: int
    store: int
    """Bytes of distinct file contents that the supervisor keeps."""
    nice: int = 0
    """How much code gives way to the supervisor, for the CPU that the world gets as a whole."""


def walls(limits: Limits, *, bounded: bool, own_users: bool) -> Walls:
    """The world for calls of `limits`. Without a cgroup (`bounded` false) only the product of processes and address
    space bounds memory, so there are as many processes as fit into half of the machine's.

    Raises:
        SandboxError: fewer than a handful of processes would fit.
    """
    slots, scratch, store = 4 * limits.disk, limits.disk, 4 * limits.disk
    memory = 2 * limits.memory + slots + 2 * scratch + store + _OVERHEAD
    wanted = NODES + 2 * limits.processes + _OURS
    pids = wanted if bounded else min(wanted, _machine_memory() // 2 // limits.memory)
    if pids < _FEWEST:
        raise SandboxError(
            f"a call may use {limits.memory >> 20} MiB, and without a cgroup only {pids} processes of that size fit "
            "into half of this machine's memory: lower the memory limit, or run where a cgroup can be written"
        )
    return Walls(
        memory, slots, scratch, 8 * limits.inodes, pids, pids if own_users else 0, min(NODES, pids // 2), store
    )


def _machine_memory() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
