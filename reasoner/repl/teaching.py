"""What a training tells: a bar with the loss on a terminal, a line now and then elsewhere."""

import time
from collections import deque
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LATELY = 20
_LINES = 50


class TeachingBar:
    """A context manager; the bar vanishes on leaving."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TextColumn("{task.description}", markup=False),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
        )
        self._bar = self._progress.add_task("", total=None)
        self._pace = _Pace()

    def __enter__(self) -> "TeachingBar":
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def step(self, number: int, of: int, loss: float, tokens: int) -> None:
        self._pace.add(loss, tokens)
        self._progress.update(self._bar, completed=number, total=of, description=str(self._pace))


class TeachingLines:
    """A line at every fiftieth part."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._pace = out, _Pace()

    def __enter__(self) -> "TeachingLines":
        return self

    def __exit__(self, *_: object) -> None:
        self._out.flush()

    def step(self, number: int, of: int, loss: float, tokens: int) -> None:
        self._pace.add(loss, tokens)
        if number % max(1, of // _LINES) == 0 or number == of:
            self._out.write(f"[{number}/{of}] {self._pace}\n")
            self._out.flush()


class TeachingSilence:
    def __enter__(self) -> "TeachingSilence":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def step(self, number: int, of: int, loss: float, tokens: int) -> None:
        pass


class _Pace:
    """Loss and tokens a second of the last steps."""

    def __init__(self) -> None:
        self._steps: deque[tuple[float, float, int]] = deque([(time.monotonic(), 0.0, 0)], maxlen=_LATELY + 1)

    def add(self, loss: float, tokens: int) -> None:
        self._steps.append((time.monotonic(), loss, tokens))

    def __str__(self) -> str:
        first, *rest = self._steps
        seconds = max(1e-6, rest[-1][0] - first[0])
        loss = sum(one[1] for one in rest) / len(rest)
        return f"loss {loss:.3f} · {sum(one[2] for one in rest) / seconds:,.0f} tok/s"
