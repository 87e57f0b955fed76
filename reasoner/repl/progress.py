"""A run of many tasks while it happens: a bar on a terminal, one line a task elsewhere. Satisfies `batch.Watcher`.

It counts what it is told and decides nothing. Ids and reasons come from outside: they are shown as printable text only.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from reasoner.batch import Job, Record
from reasoner.repl.printable import one_line, printable, tests_passed
from reasoner.trace import Event, Listener, Wrote

_RATE_S = 10.0
_MARKS = {"solved": "✓", "answered": "·", "failed": "!", "unusable": "!"}
_STYLES = {"solved": "green", "failed": "red", "unusable": "red"}
_BAR = 20
_ANSWER = 60


@dataclass
class Tally:
    """How a run stands. `total`, `done` and `solved` count tasks in epochs, and begin with what was done before."""

    clock: Callable[[], float]
    total: int
    done: int = 0
    solved: int = 0
    flying: int = 0
    failed: int = 0
    tokens: int = 0
    """Sampled by this process."""
    _recent: deque[tuple[float, int]] = field(default_factory=deque)
    _started: float = -1.0
    _now_done: int = 0

    def begun(self) -> Listener:
        self._started = self.clock() if self._started < 0 else self._started
        self.flying += 1
        return self._hear

    def kept(self, record: Record) -> None:
        self.flying -= 1
        if record.is_last_word:
            self.done += 1
            self._now_done += 1
            self.solved += record.outcome == "solved"
        self.failed += record.outcome == "failed"

    @property
    def waiting(self) -> int:
        return max(0, self.total - self.done - self.flying)

    @property
    def seconds(self) -> float:
        return self.clock() - self._started if self._started >= 0 else 0.0

    @property
    def rate(self) -> float:
        """Tokens per second that were sampled lately."""
        now = self.clock()
        return sum(n for at, n in tuple(self._recent) if now - at <= _RATE_S) / min(_RATE_S, max(self.seconds, 0.5))

    @property
    def left_s(self) -> float | None:
        """Seconds to the end, as fast as it went so far; None where nothing says."""
        return (self.total - self.done) * self.seconds / self._now_done if self._now_done else None

    def _hear(self, event: Event) -> None:
        if isinstance(event, Wrote):
            now = self.clock()
            self.tokens += event.tokens
            self._recent.append((now, event.tokens))
            while now - self._recent[0][0] > _RATE_S:
                self._recent.popleft()


class RunBar:
    """Failures scroll away above one line that is redrawn; on leaving it vanishes."""

    def __init__(self, tally: Tally, console: Console) -> None:
        self._tally, self._console = tally, console
        self._live = Live(self, console=console, refresh_per_second=4, transient=True, redirect_stdout=False)

    def __enter__(self) -> "RunBar":
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()

    def begun(self, job: Job) -> Listener:
        return self._tally.begun()

    def kept(self, job: Job, record: Record) -> None:
        self._tally.kept(record)
        style = _STYLES.get(record.outcome, "")
        self._console.print(Text(settled(record, self._console.width), style, no_wrap=True, overflow="ellipsis"))

    def __rich__(self) -> Table:
        tally = self._tally
        line = Table.grid(padding=(0, 1), expand=False)
        bar = ProgressBar(max(1, tally.total), tally.done, width=_BAR)
        words = Text(f"{tally.done}/{tally.total}  {status(tally)}", "blue", no_wrap=True, overflow="ellipsis")
        line.add_row(bar, words)
        return line


class RunLines:
    """One line for each record."""

    def __init__(self, tally: Tally, out: TextIO) -> None:
        self._tally, self._out = tally, out

    def __enter__(self) -> "RunLines":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._out.flush()

    def begun(self, job: Job) -> Listener:
        return self._tally.begun()

    def kept(self, job: Job, record: Record) -> None:
        self._tally.kept(record)
        self._out.write(f"[{self._tally.done}/{self._tally.total}] {settled(record)}\n")
        self._out.flush()


class RunSilence:
    """Nobody is told."""

    def __enter__(self) -> "RunSilence":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def begun(self, job: Job) -> Listener:
        return _nobody

    def kept(self, job: Job, record: Record) -> None:
        pass


def settled(record: Record, width: int | None = None) -> str:
    """One printable line of at most `width` characters; without a width, all of what failed and the start of an
    answer."""
    name = one_line(record.task, 32) + (f" #{record.epoch}" if record.epoch else "")
    said = f"{record.tokens:,} tokens, {record.times.wall_s:.0f} s"
    if record.outcome in ("failed", "unusable"):
        said = " ".join(record.reason.splitlines())
    elif record.answer:
        said += f"  {one_line(record.answer, _ANSWER)}"
    elif not record.files and record.outcome != "solved":
        said += "  no answer"
    elif tests := record.hidden or record.visible:
        said += f"  {tests_passed(tests.passed, tests.counted)}"
    return one_line(f"{_MARKS.get(record.outcome, '✗')} {name:<20} {record.outcome:<9} {printable(said)}", width)


def status(tally: Tally) -> str:
    """The most important first, since the end is cut on a narrow terminal."""
    parts = [f"{tally.solved} solved", f"{tally.rate:.0f} tok/s"]
    if tally.left_s is not None:
        parts.append(f"{_span(tally.left_s)} left")
    parts.append(f"{tally.flying} running, {tally.waiting} waiting")
    if tally.failed:
        parts.append(f"{tally.failed} failed")
    return " · ".join(parts)


def _span(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} min" if hours else f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _nobody(event: Event) -> None:
    pass
