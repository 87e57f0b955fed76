"""The live view, drawn on a terminal that is a string."""

import io
import re

import pytest
from rich.console import Console

from reasoner.repl.board import Board
from reasoner.repl.live import LiveView


class Terminal:
    def __init__(self, width: int = 80, height: int = 24, **settings: bool) -> None:
        self.out = io.StringIO()
        self.console = Console(file=self.out, width=width, height=height, force_terminal=True, **settings)
        self.now = 0.0
        self.board = Board(lambda: self.now)
        self.view = LiveView(self.board, self.console)

    def drawn(self) -> list[str]:
        """The region as it would be drawn now, without styles."""
        with self.console.capture() as captured:
            self.console.print(self.view.region)
        return re.sub(r"\x1b\[[0-9;]*m", "", captured.get()).splitlines()


def test_it_shows_each_attempt_the_tail_of_the_code_and_a_status_line(script_for) -> None:
    terminal = Terminal()
    script = script_for(terminal.board, terminal.view)
    script.begin(tokens=20_000, wall_s=60)
    first, second = script.open(), script.open()
    script.enter(first, "act")
    script.write(first, "def f(x):\n    return x\n", 9)
    script.enter(second, "think")
    terminal.now = 3.0
    assert terminal.drawn() == [
        "  attempt 1          9 tokens  act",
        "  attempt 2          0 tokens  think",
        "  │ def f(x):",
        "  │     return x",
        "  3 tok/s · 9 tokens, 20.0k left · 3 s of 60 · bwrap · tiny",
    ]


def test_a_reflection_is_shown_before_any_code(script_for) -> None:
    terminal = Terminal()
    script = script_for(terminal.board, terminal.view)
    script.begin()
    failed = script.test(script.open(), 1, 1)
    other = script.open()
    script.enter(other, "act")
    script.write(other, "code")
    head = script.open("reflect", failed)
    script.enter(head, "reflect")
    script.write(head, "It forgot zero.")
    drawn = terminal.drawn()
    assert "  │ It forgot zero." in drawn
    assert "  attempt 1          1 tokens  reflect  1/2 tests" in drawn


@pytest.mark.parametrize(("width", "height"), [(80, 24), (40, 10), (20, 6), (200, 50)])
def test_it_fits_every_terminal(script_for, width: int, height: int) -> None:
    terminal = Terminal(width, height)
    script = script_for(terminal.board, terminal.view)
    script.begin(tokens=1000, wall_s=100)
    for head in [script.open() for _ in range(40)]:
        script.enter(head, "act")
        script.write(head, "字" * 150 + "\n" + "x" * 300 + "\n\n\n\nlast")
    drawn = terminal.drawn()
    assert len(drawn) < height
    assert max(terminal.console.measure(line).maximum for line in drawn) <= width


def test_model_text_is_neither_markup_nor_escape(script_for) -> None:
    terminal = Terminal()
    script = script_for(terminal.board, terminal.view)
    script.begin()
    head = script.open()
    script.enter(head, "act")
    script.write(head, "[bold red]x[/] :smile: \x1b]0;owned\x07\x1b[2J")
    assert "  │ [bold red]x[/] :smile:" in terminal.drawn()
    script.test(head, 0, 1, message="[link=http://evil]\x1b[5mclick[/link]")
    assert "[link=http://evil]click[/link]" in terminal.out.getvalue()
    assert "\x1b[5m" not in terminal.out.getvalue()


def test_the_terminal_is_restored_whatever_ends_the_search(script_for) -> None:
    terminal = Terminal()
    script = script_for(terminal.board, terminal.view)

    def interrupted() -> None:
        with terminal.view:
            script.begin()
            script.open()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    hidden, shown = terminal.out.getvalue().count("\x1b[?25l"), terminal.out.getvalue().count("\x1b[?25h")
    assert hidden == shown == 1


def test_no_color_draws_no_colour(script_for, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    terminal = Terminal()
    script = script_for(terminal.board, terminal.view)
    with terminal.view:
        script.begin()
        script.test(script.open(), 1, 0)
        script.open()
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", terminal.out.getvalue())
