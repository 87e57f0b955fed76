"""A question while it is answered, as it is written: thought dimmed, code, what the code printed. Nothing is redrawn.

One head is shown at a time, from its beginning to its end; of those beside it only what they answer. Text of the model
goes through `printable` and is never markup.
"""

from rich.console import Console
from rich.text import Text

from reasoner.repl.printable import one_line, printable
from reasoner.trace import Added, Dropped, Event, Heard, Opened, Wrote
from reasoner.tree import Node
from reasoner.types import ToolResult

_FENCE = "```"
_OUTPUT_LINES = 20
_STYLES = {"thought": "dim", "code": "cyan", "output": "", "error": "red", "other": "dim italic"}


class AskView:
    """A listener."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._shown: int | None = None
        self._held = ""
        """The beginning of a line that may become a fence."""
        self._in_code = False
        self._at_start = True

    def __call__(self, event: Event) -> None:
        match event:
            case Opened(head) if self._shown is None:
                self._shown = head.id
            case Wrote(head, text, _) if head == self._shown:
                self._write(text)
            case Heard(head, result) if head == self._shown:
                self._hear(result)
            case Added(_, head) | Dropped(head) if head is not None and head == self._shown:
                self._break()
                self._shown = None
            case Added(node, head) if head is not None:
                self._other(node)

    def _write(self, text: str) -> None:
        """Whole lines, and the end of the last as soon as it cannot be a fence."""
        self._held += printable(text)
        *whole, rest = self._held.split("\n")
        for line in whole:
            self._line(line)
        self._held = rest
        if rest and not (self._at_start and _FENCE.startswith(rest[: len(_FENCE)])):
            self._print(rest)
            self._held = ""

    def _line(self, line: str) -> None:
        if self._at_start and line.startswith(_FENCE):
            self._in_code = not self._in_code
            self._console.print(Text(line, _STYLES["thought"]), soft_wrap=True)
        else:
            self._print(line + "\n")

    def _print(self, text: str) -> None:
        style = _STYLES["code" if self._in_code else "thought"]
        self._console.print(Text(text, style), end="", soft_wrap=True)
        self._at_start = text.endswith("\n")

    def _hear(self, result: ToolResult) -> None:
        self._break()
        lines = printable(result.output).rstrip().splitlines()
        for line in lines[:_OUTPUT_LINES]:
            self._console.print(Text(f"  │ {line}", _STYLES["output"]), soft_wrap=True)
        if len(lines) > _OUTPUT_LINES:
            self._console.print(Text(f"  │ … and {len(lines) - _OUTPUT_LINES} lines more", "dim"))
        if result.error:
            said = one_line(f"{result.error}: {result.detail}", 200)
            self._console.print(Text(f"  │ {said}", _STYLES["error"]), soft_wrap=True)

    def _other(self, node: Node) -> None:
        if said := next((v.detail for v in node.verdicts if v.source == "answer" and v.detail), ""):
            self._console.print(Text(f"another line of thought says: {one_line(said, 120)}", _STYLES["other"]))

    def _break(self) -> None:
        """Go to a line of its own, out of any code."""
        if self._held and not self._held.startswith(_FENCE):
            self._print(self._held)
        self._held, self._in_code = "", False
        if not self._at_start:
            self._console.print()
            self._at_start = True
