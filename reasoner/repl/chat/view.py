"""A turn while it happens: steps that are done scroll away above, what is being written is drawn below and redrawn.

It listens and draws, and holds no logic. Without a terminal there is no drawing below, only what is done.
"""

from collections import Counter
from collections.abc import Callable
from textwrap import wrap
from types import TracebackType

from rich.console import Console, ConsoleOptions, RenderResult
from rich.live import Live
from rich.text import Text

from reasoner.repl.board import Board
from reasoner.repl.chat import showing
from reasoner.repl.live import cut
from reasoner.repl.printable import one_line, printable
from reasoner.trace import Added, Began, Dropped, Event, Heard, Opened, Resumed, Wrote
from reasoner.tree import Node
from reasoner.types import NodeId

_TAIL_LINES = 8
_HELD_LINES = 4
_TAIL = 4_000
_PER_SECOND = 6


class TurnView:
    """A listener and a context manager; on leaving, however that happens, the terminal is as it was."""

    def __init__(
        self, console: Console, clock: Callable[[], float], *, live: bool, paid: Callable[[], float] = lambda: 0.0
    ) -> None:
        """`paid` says what the turn has cost so far, in money."""
        self.board = Board(clock)
        self.tip: NodeId = 0
        """The last node that was shown step by step."""
        self._console = console
        self._texts: dict[int, str] = {}
        """Of each head in flight, the end of what it writes."""
        self._tool_s = 0.0
        self._answers: Counter[str] = Counter()
        """What lines of thought came to, by what tells answers apart."""
        self._paid = paid
        self._draws = live
        self._live: Live | None = None

    def __enter__(self) -> "TurnView":
        self.resume()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.hold()

    def hold(self) -> None:
        """Stop drawing, to let a person type; what is being written stays in sight."""
        if self._live:
            self._live.stop()
            self._live = None
            for line in self.tail(_HELD_LINES):
                self._console.print(Text(f"  {line}", "dim", no_wrap=True))

    def resume(self) -> None:
        """Draw from here on; what stands above stays."""
        if self._draws and not self._live:
            self._live = Live(
                _Region(self),
                console=self._console,
                refresh_per_second=_PER_SECOND,
                transient=True,
                redirect_stdout=False,
            )
            self._live.start()

    def __call__(self, event: Event) -> None:
        self.board(event)
        match event:
            case Opened(head):
                self._texts[head.id] = ""
            case Wrote(head, text, _) if head in self._texts:
                self._texts[head] = (self._texts[head] + text)[-_TAIL:]
            case Heard(head, result) if head in self._texts:
                self._texts[head] = ""
                self._tool_s += result.wall_s
            case Added(node, head) if head is not None:
                self._texts.pop(head, None)
                self._added(node)
            case Dropped(head):
                self._texts.pop(head, None)
            case Began() | Resumed():
                self._texts.clear()
                self._answers.clear()

    def show(self, node: Node) -> None:
        """All steps of a node."""
        for at, step in enumerate(node.steps):
            heard = node.steps[at + 1] if at + 1 < len(node.steps) and node.steps[at + 1].kind == "observe" else None
            if step.kind != "observe" or at == 0:
                for part in showing.step(step, heard):
                    self._console.print(part)

    def _added(self, node: Node) -> None:
        """A line of thought is shown as it goes; of many, what each of them says."""
        if node.move == "continue" and node.parent == self.tip and not self._texts:
            self.tip = node.id
            self.show(node)
            return
        if node.move == "continue" and node.parent is not None and node.parent != self.tip:
            self._console.print(Text(f"↩ back to node {node.parent}, leaving node {self.tip}", "cyan"))
        answer = next((v for v in node.verdicts if v.source == "answer" and v.detail), None)
        said, last = answer.detail if answer else "", node.steps[-1].text if node.steps else ""
        self._answers.update([answer.key] if answer else [])
        words = one_line(said or last, max(20, self._console.width - 24))
        self._console.print(Text(f"· a line of thought says: {words}", "dim", overflow="fold"))

    def tail(self, lines: int) -> list[str]:
        """The end of what the oldest head writes, as lines of the screen."""
        texts = tuple(self._texts.values())
        width = max(20, self._console.width - 4)
        said = printable(texts[0]).rstrip().splitlines() if texts else []
        broken = [part for line in said[-lines:] for part in wrap(line, width, replace_whitespace=False) or [""]]
        return broken[-lines:] if lines > 0 else []

    def status(self) -> str:
        """Speed, budget, time, money, agreement, sandbox, core: what is cut first stands last."""
        board, paid = self.board, self._paid()
        count, answers = len(tuple(self._texts)), self._answers.total()
        agree = max(self._answers.values(), default=0)
        parts = [
            f"{board.rate:.0f} tok/s",
            f"{board.tokens:,}{f' of {board.tokens_budget:,}' if board.tokens_budget else ''} tokens",
            f"{board.seconds:.0f} s",
            f"tools {self._tool_s:.1f} s" if self._tool_s else "",
            f"{paid:.4g} in money" if paid else "",
            f"{agree} of {answers} agree" if answers > 1 else "",
            f"{count} lines of thought" if count > 1 else "",
            board.level,
            board.core,
        ]
        return "  " + " · ".join(printable(part) for part in parts if part)


class _Region:
    def __init__(self, view: TurnView) -> None:
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        for line in self._view.tail(min(_TAIL_LINES, console.height - 4)):
            yield cut(Text(f"  {line}", "dim"), options.max_width)
        yield cut(Text(self._view.status(), "blue"), options.max_width)
