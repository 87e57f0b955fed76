import io

from reasoner.repl.board import Board
from reasoner.repl.plain import PlainView
from reasoner.types import Kept


def told(script_for):
    out = io.StringIO()
    board = Board(lambda: 0.0)
    return out, script_for(board, PlainView(board, out))


def test_every_settled_attempt_is_one_line(script_for) -> None:
    out, script = told(script_for)
    script.begin()
    script.test(script.open(), passed=3, failed=1)
    script.malformed(script.open(), "the code block is empty")
    head = script.open()
    script.write(head, "x = 1", 5)
    script.test(head, passed=4, failed=0)
    script.stop()
    assert out.getvalue().splitlines() == [
        "core tiny, sandbox bwrap",
        "✗ attempt 1          0 tokens  3/4 tests    AssertionError: 1 != 2",
        "✗ attempt 2          0 tokens  unusable     the code block is empty",
        "✓ attempt 3          5 tokens  4/4 tests",
    ]


def test_a_step_back_says_once_what_it_carries(script_for) -> None:
    out, script = told(script_for)
    script.begin()
    failed = script.test(script.open(), 0, 1)
    dead = script.reflect(script.open("reflect", failed), "It forgot zero.\nReturn early.")
    for _ in range(3):
        script.open(learnt=dead)
    assert out.getvalue().splitlines()[2:] == [
        "  reflects on attempt 1: It forgot zero. Return early.",
        "↩ step back to the task, carrying: It forgot zero.",
    ]


def test_a_core_that_steps_back_does_so_within_its_attempt(script_for) -> None:
    out, script = told(script_for)
    script.begin()
    failed = script.test(script.open(), 0, 1)
    dead = script.back(script.open("follow", failed), "0 mind zero")
    script.test(script.open("follow", learnt=dead), 1, 0)
    lines = out.getvalue().splitlines()[2:]
    assert lines[0] == "↩ step back to the task, carrying: mind zero" and lines[1].startswith("✓ attempt 2 ")


def test_what_a_stop_cuts_off_is_counted(script_for) -> None:
    out, script = told(script_for)
    script.begin()
    for head in [script.open(), script.open()]:
        script.drop(head)
    script.stop()
    assert out.getvalue().splitlines()[-1] == "· 2 more under way: stopped, and charged"


def test_a_hostile_message_stays_on_its_line_and_moves_no_cursor(script_for) -> None:
    out, script = told(script_for)
    script.begin()
    script.test(script.open(), 0, 1, message="\x1b[2Jboom\n✓ attempt 9  9/9 tests")
    assert "\x1b" not in out.getvalue()
    assert len(out.getvalue().splitlines()) == 2


def test_an_attempt_that_goes_on_inside_another_says_which(script_for) -> None:
    out, script = told(script_for)
    script.begin()
    source = script.test(script.open(), 1, 1)
    script.test(script.open(kept=Kept(source, 7)), 2, 0)
    assert out.getvalue().splitlines()[-1] == "✓ attempt 2   ↩1     0 tokens  2/2 tests"
