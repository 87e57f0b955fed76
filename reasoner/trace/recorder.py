"""Appends events to a file that one process at a time may write. What an event means is not known here."""

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from reasoner.errors import TraceError
from reasoner.trace.events import NAMES, Event, encode
from reasoner.trace.reading import Trace


class Recorder:
    """Appends events to a file, flushed at every event, synced to disk at the end. A new file is made, or with `onto`
    the trace that was read from `path` is gone on with: a last line that was cut is dropped first.

    Raises:
        TraceError: the file cannot be written, or another process writes it; what was written before stays readable.
    """

    def __init__(self, path: Path, clock: Callable[[], float], *, onto: Trace | None = None) -> None:
        self.path = path
        self._clock = clock
        self._started = clock() - (onto.times[-1] if onto and onto.times else 0.0)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file: BinaryIO = path.open("r+b" if onto else "xb")
        except OSError as error:
            hint = "make it writable" if onto else "choose another --traces"
            raise TraceError(f"cannot write the trace {path} ({error.strerror}): {hint}") from error
        if not _locked(self._file):
            self._file.close()
            raise TraceError(f"another process is writing the trace {path}: wait for it, or stop it")
        if onto:
            self._go_on(onto)

    def __call__(self, event: Event) -> None:
        if type(event) not in NAMES or self._file.closed:
            return
        try:
            self._file.write(encode(event, self._clock() - self._started) + b"\n")
            self._file.flush()
        except OSError as error:
            raise self._full(error) from error

    def close(self) -> None:
        if self._file.closed:
            return
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise self._full(error) from error
        finally:
            with suppress(OSError):  # of what could not be written just before
                self._file.close()

    def _go_on(self, trace: Trace) -> None:
        """Stand behind the last whole line, which may lack its newline."""
        try:
            if self._file.seek(0, os.SEEK_END) < trace.size:
                raise TraceError(f"the trace {self.path} changed after it was read: try again")
            self._file.truncate(trace.size)
            self._file.seek(max(0, trace.size - 1))
            if trace.size and self._file.read(1) != b"\n":
                self._file.write(b"\n")
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> TraceError:
        return TraceError(f"cannot write the trace {self.path} ({error.strerror}): free some space")


def is_written(path: Path) -> bool:
    """Whether a living process writes this trace now."""
    with path.open("rb") as file:
        return not _locked(file)


def _locked(file: BinaryIO) -> bool:
    """Take the file for this process, until it is closed; False when another one has it."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
