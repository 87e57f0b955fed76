import io
import re

from rich.console import Console

from reasoner.repl.downloads import Bars, Lines


def test_lines_say_how_far_a_phase_is_and_not_too_often() -> None:
    now = [0.0]
    out = io.StringIO()
    with Lines(out, lambda: now[0]) as progress:
        progress.begin("tiny from the hub", 2_000_000)
        for _ in range(40):
            now[0] += 1.0
            progress.advance(50_000)
        progress.begin("loading", 0)
        progress.advance(5)
        progress.tell("the hub does not help: \x1b[2Jno")
    assert out.getvalue().splitlines() == [
        "tiny from the hub (2 MB)",
        "tiny from the hub: 25 %",
        "tiny from the hub: 50 %",
        "tiny from the hub: 75 %",
        "tiny from the hub: 100 %",
        "loading",
        "the hub does not help: no",
    ]


def test_bars_show_the_phase_and_leave_only_what_was_told() -> None:
    out = io.StringIO()
    with Bars(Console(file=out, force_terminal=True, width=80)) as progress:
        progress.begin("tiny [bold]from[/] the hub", 2_000_000)
        progress.advance(500_000)
        progress.tell("the hub does not help: [link=x]no[/link]")
        progress.begin("loading", 0)
    said = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue())
    assert "tiny [bold]from[/] the hub" in said
    assert "the hub does not help: [link=x]no[/link]" in said
    assert out.getvalue().count("\x1b[?25h") == out.getvalue().count("\x1b[?25l")
