"""How the parts of a turn look: thought, code, what code printed, an answer, the branches of a search, a status line.

Everything from outside goes through `printable` into `rich.text.Text` or a highlighter, never through markup.
"""

import re
from collections.abc import Iterator

from rich.console import RenderableType
from rich.syntax import Syntax
from rich.text import Text

from reasoner.repl.printable import one_line, printable
from reasoner.tree import Tree
from reasoner.types import NodeId, Step, ToolResult

_FENCED = re.compile(r"^```[^\n]*\n(?P<code>.*?)(?:^```[ \t]*$|\Z)", re.M | re.S)
_THOUGHT_LINES = 2
"""Lines of a thought that is done; the rest is folded."""
_OUTPUT_LINES = 20
_BRANCHES = 12
_SAID = 60


def step(done: Step, heard: Step | None = None) -> Iterator[RenderableType]:
    """A step that is over, with what its call said."""
    match done.kind:
        case "act":
            yield from _act(done.text)
        case "answer":
            yield from _answer(done.text)
        case "reflect" | "criticise":
            yield Text(f"↺ {printable(done.text).strip()}", "yellow")
        case "observe":
            heard = heard or done
        case _:
            yield from _thought(done.text)
    if heard and heard.result:
        yield from _output(heard.result)


def _act(text: str) -> Iterator[RenderableType]:
    at = 0
    for block in _FENCED.finditer(text):
        yield from _thought(text[at : block.start()])
        yield _code(block["code"])
        at = block.end()
    yield from _thought(text[at:])


def _answer(text: str) -> Iterator[RenderableType]:
    at = 0
    for block in _FENCED.finditer(text):
        yield from _prose(text[at : block.start()])
        yield _code(block["code"])
        at = block.end()
    yield from _prose(text[at:])


def _prose(text: str) -> Iterator[RenderableType]:
    if text.strip():
        yield Text(printable(text).strip(), overflow="fold")


def _thought(text: str) -> Iterator[RenderableType]:
    lines = [line for line in printable(text).splitlines() if line.strip()]
    if lines:
        shown = "\n".join(lines[:_THOUGHT_LINES])
        folded = f"\n{_more(len(lines) - _THOUGHT_LINES)}" if len(lines) > _THOUGHT_LINES else ""
        yield Text(shown + folded, "dim", overflow="fold")


def _more(lines: int) -> str:
    return f"… {lines} line{'s' if lines > 1 else ''} more"


def _code(code: str) -> RenderableType:
    text = Syntax("", "python", theme="ansi_dark", background_color="default").highlight(printable(code))
    text.rstrip()
    return Text("\n").join(Text("  ") + line for line in text.split("\n"))


def _output(result: ToolResult) -> Iterator[RenderableType]:
    value = "" if result.value is None else str(result.value)
    said = "\n".join(part for part in (result.output.rstrip("\n"), value) if part)
    lines = printable(said).splitlines()
    for line in lines[:_OUTPUT_LINES]:
        yield Text(f"  │ {line}", overflow="fold")
    if len(lines) > _OUTPUT_LINES:
        yield Text(f"  │ {_more(len(lines) - _OUTPUT_LINES)}", "dim")
    if result.error:
        yield Text(f"  │ {_failure(result)}", "red", overflow="fold")
    if result.degraded:
        yield Text(f"  │ {one_line(result.degraded, 200)}", "yellow", overflow="fold")
    quiet = "" if lines or result.error else "nothing was printed, "
    yield Text(f"  ╰ {quiet}{result.wall_s:.2f} s", "dim")


def _failure(result: ToolResult) -> str:
    """How a call went wrong, in one line: of a traceback the last, which names the exception."""
    lines = [line for line in result.detail.splitlines() if line.strip()]
    return one_line(f"{result.error}: {lines[-1] if lines else ''}", 200)


def branches(tree: Tree, answer: NodeId | None, width: int) -> Iterator[Text]:
    """A small tree of a search with more than one branch; nothing for a line, or for lines that never meet again."""
    if tree.depth < 2 or len(tree) <= 1 + tree.depth:
        return
    path = {node.id for node in tree.path(answer)} if answer is not None else set()
    drawn = 0
    todo = [(child, 0) for child in reversed(tree.children(tree.root))]
    while todo and drawn < _BRANCHES:
        node, depth = todo.pop()
        drawn += 1
        last = tree[node].steps[-1] if tree[node].steps else None
        said = next((v.detail for v in tree[node].verdicts if v.source == "answer" and v.detail), "")
        words = one_line(said or (last.text if last else ""), _SAID)
        mark = "●" if node in path else "○"
        line = Text(f"  {'  ' * depth}{mark} {last.kind if last else ''} {words}", "" if node in path else "dim")
        line.truncate(width, overflow="ellipsis")
        yield line
        todo += [(child, depth + 1) for child in reversed(tree.children(node))]
    if todo:
        yield Text(f"  … and {len(tree) - 1 - drawn} more", "dim")
