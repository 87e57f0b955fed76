"""Output of a call, read as it comes, kept up to a cap, and counted against a budget."""

import os

BUDGET = 8
"""A call may print this many times what is kept of it; then it is killed."""


class Capture:
    def __init__(self, fd, keep):
        os.set_blocking(fd, False)
        self.fd, self._keep = fd, keep
        self._held, self.total, self.open = bytearray(), 0, True

    def read(self):
        """Take what is there now. False when nothing more will come."""
        try:
            data = os.read(self.fd, 1 << 16)
        except BlockingIOError:
            return True
        self.total += len(data)
        self._held += data[: self._keep - len(self._held)]
        return bool(data)

    def drain(self):
        """Take everything that was written before now."""
        while self.open and not self.exceeded:
            before = self.total
            if not self.read() or self.total == before:
                return

    @property
    def exceeded(self):
        return self.total > BUDGET * self._keep

    @property
    def truncated(self):
        return self.total > len(self._held)

    def text(self, slot):
        """What was kept. Slots differ from run to run, so every one of them reads as the workspace."""
        raw = bytes(self._held).replace(slot.files.encode(), b"/workspace").replace(slot.home.encode(), b"/run")
        return raw.decode("utf-8", "replace")

    def close(self):
        if self.open:
            self.open = False
            os.close(self.fd)
