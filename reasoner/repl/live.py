"""The search while it happens: settled attempts scroll away above, what is under way is drawn below and redrawn.

It listens and draws, and holds no logic. Text of the model is only ever put into `rich.text.Text` after `printable`,
so neither markup nor escape sequences of its own reach the terminal.
"""

from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from reasoner.repl.board import Attempt, Board
from reasoner.repl.printable import printable
from reasoner.repl.story import Story, Tone
from reasoner.trace import Event, Finished, Stopped

STYLES: dict[Tone, str] = {"good": "green", "bad": "", "quiet": "dim", "turn": "cyan"}
_TAIL_LINES = 5
_ROWS_MAX = 12
"""Attempts that are drawn at once; the rest are counted."""
_PER_SECOND = 6


class LiveView:
    """A listener, called after its board, and a context manager; on leaving, however that happens, the terminal is as
    it was."""

    def __init__(self, board: Board, console: Console) -> None:
        self._story = Story(board)
        self._console = console
        self.region = Region(board)
        self._live: Live | None = None

    def __enter__(self) -> "LiveView":
        self.resume()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.hold()

    def hold(self) -> None:
        """Stop drawing, to let a person type."""
        if self._live:
            self._live.stop()
            self._live = None

    def resume(self) -> None:
        """Draw from here on; what stands above stays."""
        if self._live is None:
            self._live = Live(
                self.region,
                console=self._console,
                refresh_per_second=_PER_SECOND,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()

    def __call__(self, event: Event) -> None:
        self._story.width = self._console.width
        for line in self._story(event):
            self._console.print(Text(line.text, STYLES[line.tone], no_wrap=True, overflow="ellipsis"))
        if self._live and isinstance(event, Stopped | Finished):
            self._live.refresh()


class Region:
    """What is under way: one line for each growing attempt, the end of what one of them writes, one status line."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width, height = options.max_width, console.height
        growing = tuple(dict.fromkeys(tuple(self._board.growing.values())))
        tail = min(_TAIL_LINES, max(0, height - 8))
        rows = max(1, min(_ROWS_MAX, height - tail - 4))
        for attempt in growing[:rows]:
            yield cut(_row(attempt), width)
        if len(growing) > rows:
            yield cut(Text(f"  … and {len(growing) - rows} more", "dim"), width)
        if self._board.stop:
            yield cut(Text("  running the tests of the answer once more, in a fresh world"), width)
        if focus := _focus(growing):
            for text in _tail(focus, tail):
                yield cut(Text(f"  │ {text}", "dim"), width)
        yield cut(_status(self._board), width)


def _focus(growing: tuple[Attempt, ...]) -> Attempt | None:
    """Whose text is shown: a reflection first, else the oldest attempt that writes."""
    writing = [a for a in growing if a.text.strip()]
    return next((a for a in writing if a.step == "reflect"), writing[0] if writing else None)


def _row(attempt: Attempt) -> Text:
    row = Text(f"  {attempt.label} ")
    row.append(f"{attempt.tokens:>4} tokens  ")
    row.append(attempt.step or "waits", "bold" if attempt.step else "dim")
    if attempt.counted:
        row.append(f"  {attempt.passed}/{attempt.counted} tests")
    return row


def _tail(attempt: Attempt, lines: int) -> list[str]:
    said = printable(attempt.text).rstrip().splitlines()
    return said[-lines:] if lines else []


def _status(board: Board) -> Text:
    """Core, level, speed, spent, left, seconds: the least important first to be cut, so they stand last."""
    left = [f"{_count(board.tokens)} tokens"]
    if board.tokens_left is not None:
        left.append(f"{_count(board.tokens_left)} left")
    seconds = f"{board.seconds:.0f} s"
    if board.wall_budget:
        seconds += f" of {board.wall_budget:.0f}"
    parts = [f"{board.rate:.0f} tok/s", ", ".join(left), seconds, board.level, board.core]
    return Text("  " + " · ".join(printable(part) for part in parts if part), "blue")


def _count(tokens: int) -> str:
    return str(tokens) if tokens < 10_000 else f"{tokens / 1000:.1f}k"


def cut(text: Text, width: int) -> Text:
    """The text on one line of at most `width` cells."""
    text.truncate(width, overflow="ellipsis")
    text.no_wrap = True
    return text
