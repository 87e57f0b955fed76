"""Open files across a fork: parent and child would share one offset, so the child opens its own.

Only regular files of the workspace can be opened again. Whatever else is open is named, so that a result can say it.
"""

import collections
import os

Handle = collections.namedtuple("Handle", "fd path flags offset")

_ONCE = os.O_CREAT | os.O_EXCL | os.O_TRUNC
_KEPT = os.O_ACCMODE | os.O_APPEND | os.O_NONBLOCK


def record(folder, own):
    """What is open now below `folder`, and a note for each thing that a fork will share."""
    if os.stat("/proc/self/fd").st_size == len(own):  # how many are open, since Linux 6.2
        return [], []
    import fcntl

    handles, notes = [], []
    for name in os.listdir("/proc/self/fd"):
        fd = int(name)
        if fd in own:
            continue
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
            flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        except OSError:  # the descriptor of the listing itself
            continue
        if target.startswith(folder + "/"):
            if target.endswith(" (deleted)"):
                notes.append("an open file was deleted; branches share it")
            else:
                offset = _offset(fd)
                handles.append(Handle(fd, target[len(folder) + 1 :], flags & _KEPT, offset))
        elif target.startswith(("socket:", "pipe:")):
            notes.append(f"an open {target.partition(':')[0]} is shared by the branches")
    return handles, notes


def reopen(handles, folder):
    """Give every recorded descriptor an open file of its own below `folder`; a note for each that cannot have one."""
    notes = []
    for handle in handles:
        try:
            fd = os.open(f"{folder}/{handle.path}", handle.flags & ~_ONCE | os.O_CLOEXEC)
        except OSError:
            notes.append(f"{handle.path} was open and cannot be opened again")
            continue
        if handle.offset is not None:
            os.lseek(fd, handle.offset, os.SEEK_SET)
        os.dup2(fd, handle.fd, inheritable=False)
        os.close(fd)
    return notes


def _offset(fd):
    try:
        return os.lseek(fd, 0, os.SEEK_CUR)
    except OSError:
        return None
