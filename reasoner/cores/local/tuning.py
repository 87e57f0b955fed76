"""Two settings of the process that torch's speed on a CPU hangs on. Measured in benchmarks/core.md."""

import ctypes
import os


def tune_process() -> None:
    """Call before torch is imported: OpenMP reads its variable once."""
    _spin_briefly()
    _keep_memory()


def _spin_briefly() -> None:
    """Let a thread that waits for the others sleep soon.

    By default it spins for about a millisecond, and takes the CPU from the very thread that it waits for as soon as
    anything else runs, tests in a sandbox, say; sleeping at once, it is woken at every matrix. In between lies what is
    best beside such work.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")


def _keep_memory() -> None:
    """Let glibc keep what a step frees for the next one, instead of giving it back to the kernel and faulting it in
    again page by page. Any other C library goes on as it is."""
    library = ctypes.CDLL(None)
    if hasattr(library, "gnu_get_libc_version"):
        library.mallopt(_M_MMAP_THRESHOLD, _LARGEST)
        library.mallopt(_M_TRIM_THRESHOLD, 16 * _LARGEST)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
_LARGEST = 32 * 2**20
"""Bytes from which an allocation is its own mapping: the most that every glibc takes."""
