"""What getting a model tells, drawn as bars on a terminal and as lines elsewhere. Satisfies `models.Progress`.

The work runs in another thread than the one that opened the view; rich locks for itself, the lines need no lock.
"""

import time
from collections.abc import Callable
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, Task, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from reasoner.repl.printable import one_line

_WIDTH = 100
_EVERY_S = 10.0


class Bars:
    """A context manager; the bars vanish on leaving, what was told stays."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=20),
            _Size(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._phase: TaskID | None = None

    def __enter__(self) -> "Bars":
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def begin(self, label: str, total: int) -> None:
        if self._phase is not None:
            self._progress.remove_task(self._phase)
        self._phase = self._progress.add_task(one_line(label, 40), total=total or None)

    def advance(self, count: int) -> None:
        if self._phase is not None:
            self._progress.advance(self._phase, count)

    def tell(self, line: str) -> None:
        self._progress.console.print(Text(one_line(line, self._progress.console.width), "dim"))


class _Size(DownloadColumn):
    """Bytes so far, and nothing for a phase that is not counted in bytes."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.total else Text()


class Lines:
    """One line when a phase begins, one every few seconds while it lasts."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out, self._clock = out, clock
        self._label, self._total, self._done, self._said = "", 0, 0, 0.0

    def __enter__(self) -> "Lines":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._out.flush()

    def begin(self, label: str, total: int) -> None:
        self._label, self._total, self._done, self._said = label, total, 0, self._clock()
        self.tell(f"{label} ({total / 1e6:.0f} MB)" if total else label)

    def advance(self, count: int) -> None:
        self._done += count
        if self._total and self._clock() - self._said >= _EVERY_S:
            self._said = self._clock()
            self.tell(f"{self._label}: {100 * self._done / self._total:.0f} %")

    def tell(self, line: str) -> None:
        self._out.write(one_line(line, _WIDTH) + "\n")
        self._out.flush()
