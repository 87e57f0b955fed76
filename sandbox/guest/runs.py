"""One call in flight: what it started from, what it may use, what it has used, and what became of it."""

import os
import time

from guest import processes
from guest.capture import Capture
from guest.processes import describe

_GRACE_S = 0.5
"""A cell gets this long after its soft deadline to say where it was; then it is killed."""


class Run:
    """`pid` is 0 until the child has said hello. `failure` is (error, detail) once the call has been killed."""

    def __init__(self, request, snapshot, slot):
        self.request, self.snapshot, self.slot = request, snapshot, slot
        self.limits = request["limits"]
        self.heap, self.pid, self.pidfd = None, 0, None
        self.streams, self.warm = [], None
        self.birth = None
        """Where the interpreter of the call comes from."""
        self.cpu_s = 0.0
        self.failure = None
        self.started = time.monotonic()
        grace = _GRACE_S if request["state"] == "heap" else 0.0
        self.deadline = self.started + self.limits["wall_s"] + grace

    def capture(self, fd, factor=1):
        stream = Capture(fd, self.limits["output"] * factor)
        self.streams.append(stream)
        return stream

    def fail(self, error, detail):
        self.failure = self.failure or (error, detail)

    def measure(self, members, seen=None):
        """Charge the CPU time of the call's processes; `members` are those besides its own, `seen` its own `stat`."""
        used = processes.cpu(self.pid, seen) + sum(map(processes.cpu, members)) if self.pid else 0.0
        self.cpu_s = max(self.cpu_s, used)

    def check(self, now, members):
        """Fail the call when it has used more than it may."""
        limits = self.limits
        if now > self.deadline:
            self.fail("timeout", f"it did not end in {limits['wall_s']:g} s and was killed")
        elif self.cpu_s > limits["cpu_s"]:
            self.fail("timeout", f"it used more than {limits['cpu_s']:g} s of CPU time and was killed")
        elif len(members) + 1 > limits["processes"]:
            self.fail("killed", f"it ran more than {limits['processes']} processes at once")
        elif any(stream.exceeded for stream in self.streams):
            self.fail("output", f"it printed more than {limits['output']} bytes many times over and was killed")

    def died(self, status):
        """The call's process is gone and has not answered."""
        if status is None:
            self.fail("killed", "it was killed")
        elif os.WIFSIGNALED(status) and os.WTERMSIG(status) == 24:
            self.fail("timeout", f"it used more than {self.limits['cpu_s']:g} s of CPU time")
        else:
            self.fail("killed", describe(status))

    def program_result(self, status):
        """What a program that ended by itself has said: JSON text on stdout, anything else on stderr."""
        stdout, stderr = self.streams
        lines = stderr.text(self.slot).strip().splitlines()
        if status == 0:
            return {"error": None, "value": stdout.text(self.slot), "detail": ""}
        error = "memory" if lines and lines[-1].startswith("MemoryError") else "raised"
        return {"error": error, "value": None, "detail": "\n".join([f"it ended with exit code {status}", *lines[-3:]])}

    def _local(self, text):
        return text and text.replace(self.slot.files, "/workspace")

    def close(self):
        for stream in self.streams:
            stream.close()
        if self.birth and not self.heap:
            self.birth.line.close()
        if self.pidfd is not None:
            os.close(self.pidfd)
            self.pidfd = None

    def answer(self, result):
        """The fields that every result has."""
        error, detail = self.failure or (result["error"], result["detail"])
        return {
            "output": self.streams[-1].text(self.slot) if self.streams else "",
            "value": None if self.failure else self._local(result["value"]),
            "error": error,
            "detail": self._local(detail),
            "truncated": any(stream.truncated for stream in self.streams),
            "degraded": "" if self.failure else result.get("degraded", ""),
            "wall_s": time.monotonic() - self.started,
            "cpu_s": self.cpu_s,
        }


def cell_result(message):
    """A node's answer, as far as it has the form of one."""
    cell, notes = message["cell"], message.get("notes")
    if not isinstance(cell, dict) or cell.get("error") not in (None, "raised", "memory", "timeout"):
        return {"error": "killed", "value": None, "detail": "the interpreter sent a broken answer"}
    value, detail = cell.get("value"), cell.get("detail")
    named = [n for n in notes if isinstance(n, str)] if isinstance(notes, list) else []
    return {
        "error": cell["error"],
        "value": value if isinstance(value, str) else None,
        "detail": detail if isinstance(detail, str) else "",
        "degraded": "; ".join(dict.fromkeys(named))[:1000],
    }
