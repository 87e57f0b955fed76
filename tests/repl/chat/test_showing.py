"""What is shown of hostile text: never an escape sequence, never markup, never a line wider than the screen."""

import io

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from reasoner.completions import Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.repl.chat import showing
from reasoner.repl.chat.view import TurnView
from reasoner.trace import Opened, Wrote
from reasoner.tree import Head
from reasoner.types import Expand, Step, StepKind, ToolResult

CONTROLS = "\x1b[2J|\x1b]0;t\x07|\x9b31m|\r|\b|\u202e|\t|\n|\x00|\u2028"
MARKUP = "[red]|[/]|[link=x]|```python\n|```\n|print(1)|\\[|:smile:"
NASTY = st.lists(st.sampled_from([*CONTROLS.split("|"), *MARKUP.split("|"), "x" * 10_000, "字" * 99]), max_size=12).map(
    "".join
)
KINDS: list[StepKind] = ["think", "act", "answer", "reflect", "criticise", "malformed"]


def shown(width: int, *parts: object) -> str:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=True, color_system=None, highlight=False)
    for part in parts:
        console.print(part)
    return out.getvalue()


@settings(max_examples=300, deadline=None)
@given(text=NASTY, kind=st.sampled_from(KINDS), width=st.sampled_from([20, 80]))
def test_a_step_never_corrupts_the_terminal(text: str, kind: StepKind, width: int) -> None:
    heard = Step("observe", text, result=ToolResult(text, text, "raised", text, degraded=text))
    screen = shown(width, *showing.step(Step(kind, text), heard))
    assert not set(screen) & set("\x1b\x9b\x07\x08\r\x00\u202e\u2028")
    assert all(cell_len(line) <= width for line in screen.splitlines())


def test_markup_and_emoji_codes_in_what_is_said_are_letters() -> None:
    screen = shown(80, *showing.step(Step("answer", "[bold]x[/bold] :smile:")))
    assert screen == "[bold]x[/bold] :smile:\n"


@settings(max_examples=100, deadline=None)
@given(text=NASTY, width=st.sampled_from([20, 80]))
def test_what_is_drawn_below_never_corrupts_the_terminal_either(text: str, width: int) -> None:
    console = Console(file=io.StringIO(), width=width, height=24)
    view = TurnView(console, ScriptedCore([Reply()]).clock, live=False)
    view(Opened(Head(0, Expand(0, "continue", Sampling()), 0, 0)))
    view(Wrote(0, text, 1))
    lines = view.tail(8)
    assert len(lines) <= 8 and not set("".join(lines)) & set("\x1b\x9b\x07\x08\r\n\x00\u202e")
    assert all(len(line) <= width for line in lines)


def test_of_a_traceback_the_exception_is_shown() -> None:
    failed = ToolResult(error="raised", detail="Traceback (most recent call last):\n  x\nNameError: no x")
    assert "raised: NameError: no x" in shown(
        80, *showing.step(Step("act", "```python\nx\n```\n"), Step("observe", "", result=failed))
    )
