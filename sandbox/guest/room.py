"""How full the disk of the workspaces is. Code may write where no scan looks, and files that were deleted live on while
an interpreter holds them open: so the file system itself is asked."""

import os


class Room:
    def __init__(self, home):
        self._home = home
        self._base = (0, 0)

    def used(self):
        """Bytes and entries."""
        now = os.statvfs(self._home)
        return (now.f_blocks - now.f_bfree) * now.f_frsize, now.f_files - now.f_ffree

    def settle(self, before, given):
        """A call begins, and its slot has been laid out since `before` (None: it is alone); `given` bytes of input will
        be: none of that is its doing."""
        now = self.used()
        size, count = (self._base[i] + now[i] - before[i] for i in (0, 1)) if before else now
        self._base = size + given, count

    def over(self, limits, calls):
        """Whether more was written since than `calls` calls may write."""
        size, count = self.used()
        return size > self._base[0] + calls * limits["disk"] or count > self._base[1] + calls * limits["inodes"]
