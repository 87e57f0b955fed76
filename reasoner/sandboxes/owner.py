"""Whose a world is: a mark that says which process of which boot made it, and whether that process still runs.

A world whose owner is gone is an orphan and is removed. A mark of another machine, another boot of which we cannot
know, or another process namespace is nobody's business here.
"""

import os
import secrets
from pathlib import Path

PREFIX = "reasoner"


def mark() -> str:
    """A new mark of this process: `reasoner.<machine>.<pid>.<start>.<random>`."""
    return f"{PREFIX}.{_machine()}.{os.getpid()}.{_started(os.getpid())}.{secrets.token_hex(4)}"


def orphaned(text: str) -> bool:
    """True when `text` is a mark that was made here by a process that is gone."""
    parts = text.split(".")
    if len(parts) != 5 or parts[0] != PREFIX or parts[1] != _machine() or not parts[2].isdecimal():
        return False
    return _started(int(parts[2])) != parts[3]


def _machine() -> str:
    """This boot and process namespace, short."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    namespace = os.readlink("/proc/self/ns/pid")
    return boot[:8] + "".join(c for c in namespace if c.isdecimal())


def _started(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty when it is gone or a zombie."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in (b"Z", b"X") else fields[19].decode()
