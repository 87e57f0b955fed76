"""A run's progress: what is counted, what is left, and that no id from outside moves the cursor."""

import io

from rich.console import Console

from reasoner.batch import Job, Record
from reasoner.batch.records import Tests
from reasoner.batch.timing import Times
from reasoner.repl.progress import RunBar, RunLines, Tally, settled, status
from reasoner.trace import Wrote
from reasoner.types import Task

JOB = Job(Task("t", "?"))


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def record(task: str = "t", outcome: str = "solved", **others: object) -> Record:
    times = Times(wall_s=3.0)
    return Record(task, 0, 1, outcome, 0, spent={"decoded": 1234}, times=times, **others)  # type: ignore[arg-type]


def test_a_tally_knows_rate_queue_and_what_is_left() -> None:
    clock = Clock()
    tally = Tally(clock, total=10, done=4)
    assert (tally.waiting, tally.left_s, tally.rate) == (6, None, 0.0)
    hear = tally.begun()
    tally.begun()
    clock.now += 2
    hear(Wrote(0, "abc", 30))
    tally.kept(record())
    assert (tally.done, tally.flying, tally.waiting) == (5, 1, 4)
    assert (tally.rate, tally.left_s) == (15.0, 10.0)
    tally.begun()
    tally.kept(record(outcome="failed"))
    assert tally.done == 5, "what failed is tried again"
    assert status(tally) == "1 solved · 15 tok/s · 10 s left · 1 running, 4 waiting · 1 failed"


def test_lines_say_each_task_once_and_hostile_ids_are_harmless() -> None:
    out = io.StringIO()
    lines = RunLines(Tally(Clock(), total=2), out)
    for task in ("a\x1b[2J\nb", "[red]c"):
        lines.begun(JOB)
        lines.kept(JOB, record(task, answer="[/red]\x07 48"))
    one, two = out.getvalue().splitlines()
    assert one == "[1/2] ✓ a                    solved    1,234 tokens, 3 s  [/red] 48"
    assert two.startswith("[2/2] ✓ [red]c ")
    assert "\x1b" not in out.getvalue()


def test_a_bar_fits_a_narrow_terminal() -> None:
    out = io.StringIO()
    console = Console(file=out, width=40, force_terminal=True, color_system=None)
    with RunBar(Tally(Clock(), total=2), console) as bar:
        bar.begun(JOB)
        bar.kept(JOB, record("a" * 100, "unsolved", hidden=Tests(1, 3)))
        console.print(bar)
    assert all(len(line) <= 40 for line in out.getvalue().replace("\r", "\n").splitlines() if "\x1b" not in line)


def test_a_failure_says_what_failed() -> None:
    failed = record(outcome="failed", reason="the server\nis away " + "x" * 300)
    assert settled(failed) == f"! t                    failed    the server is away {'x' * 300}"
    assert settled(failed, 40) == "! t                    failed    the se…"


def test_a_task_without_an_answer_says_so_and_one_with_code_says_its_tests() -> None:
    assert settled(record(outcome="unsolved", hidden=Tests(0, 1))).endswith("  no answer")
    assert settled(record(outcome="unsolved", files={"a.py": "x"}, hidden=Tests(1, 3))).endswith("  1/3 tests")
    stuck = record(outcome="unsolved", files={"a.py": "x"}, hidden=Tests(0, 0, "a.py could not be imported"))
    assert settled(stuck).endswith("  no test ran")
    assert settled(record(outcome="solved", visible=Tests(3, 3))).endswith("  3/3 tests"), "it was solved already"
