"""Runs of the tests that are not made; what the world's own Python says of code that does not parse."""

import io
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from reasoner.completions import Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.ledger import Cost
from reasoner.loop.known import Known, _meaning
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN
from reasoner.trace import Added, Event
from reasoner.tree import Node
from reasoner.types import Files, Json, Report, Result, Step, Suite, Task, TestResult, ToolCall, ToolResult

SUITE = Suite("asserts", asserts=("assert double(2) == 4",))
TASK = Task("t", "Double.", files={"solution.py": b""}, editable=("solution.py",), visible=SUITE)
WRONG = "def double(x):\n    return x\n```"
OTHERWISE = 'def double( x ):  # of x\n    """Twice."""\n\n    return (x)\n```'
BROKEN = "def double(x:\n    return x\n```"
DOES_NOT_PARSE = "solution.py does not parse\nSyntaxError: '(' was never closed (solution.py:1): def double(x:"


async def solved(*texts: str, says: str = DOES_NOT_PARSE) -> tuple[Result, list[Node], list[str]]:
    called: list[str] = []
    events: list[Event] = []

    def world(name: str, arguments: Json, files: Files) -> ToolResult:
        called.append(name)
        if name == "python":
            return ToolResult(f"{says}\n" if says else "", cpu_s=0.01)
        row = {"name": "a", "outcome": "failed", "message": "no"}
        return ToolResult(value={"tests": [row], "error": "", "trust": "weak"}, cpu_s=0.5)

    core = ScriptedCore([Reply(text) for text in texts])
    sandbox = ScriptedSandbox(world, lambda files, suite: Report((TestResult("a", "failed"),)))
    strategy = BestOfN(len(texts), Sampling(temperature=1.0))
    result = await Reasoner(core, sandbox, strategy, width=1, clock=core.clock).solve(TASK, events.append)
    return result, [e.node for e in events if isinstance(e, Added) and e.head is not None], called


async def test_the_same_code_written_otherwise_is_not_run_again() -> None:
    result, (first, second, _), called = await solved(WRONG, OTHERWISE, WRONG.replace("x\n```", "-x\n```"))
    assert called == ["run_tests"] * 3, "before the search, and two candidates of three"
    assert (result.spent["saved_calls"], result.spent["saved_cpu_s"]) == (1, 0.5)
    observed = first.step("observe"), second.step("observe")
    assert observed[0] and observed[1] and observed[0].result == observed[1].result
    assert first.verdicts == second.verdicts
    assert second.cost.tool_calls == 0 and second.cost.saved_calls == 1


async def test_a_dear_run_ends_at_the_test_that_the_others_failed() -> None:
    asked: list[list[str]] = []

    def world(name: str, arguments: Json, files: Files) -> ToolResult:
        first = arguments.get("first", [])
        asked.append(first)
        outcomes = {"slow": "skipped" if first else "passed", "hard": "failed"}
        rows = [{"name": test, "outcome": outcome, "message": ""} for test, outcome in outcomes.items()]
        return ToolResult(value={"tests": rows, "error": "", "trust": "weak"}, cpu_s=0.2 if first else 2.0)

    texts = [WRONG.replace("x\n", f"x - {n}\n") for n in range(4)]
    core = ScriptedCore([Reply(text) for text in texts])
    reasoner = Reasoner(core, ScriptedSandbox(world), BestOfN(4, Sampling(temperature=1.0)), width=1, clock=core.clock)
    result = await reasoner.solve(TASK)
    assert asked == [[], [], ["hard"], ["hard"], ["hard"]], "before the search, and four candidates"
    assert result.spent["tool_calls"] == 5 and result.spent["saved_calls"] == 0
    assert result.spent["saved_cpu_s"] == pytest.approx(3 * 1.8)


def test_where_to_begin_is_asked_only_where_it_is_expected_to_save_much() -> None:
    def known(cpu_s: float, *failing: str) -> Known:
        made = Known(TASK, lambda text: {"solution.py": text.encode()})
        for number, name in enumerate(failing):
            rows = [{"name": test, "outcome": "failed" if test == name else "passed"} for test in ("a", "b", "c")]
            result = ToolResult(value={"tests": rows, "error": ""}, cpu_s=cpu_s)
            steps = Step("act", f"x = {number}"), Step("observe", "", call=ToolCall("run_tests", {}), result=result)
            made._take(Node(number + 1, 0, "attempt", steps, "w"))
        return made

    assert known(1.9, "a", "a").first() == ("a",), "three of four, times 1.9 s"
    assert known(1.2, "a", "a").first() == (), "three of four, times 1.2 s"
    assert known(1.9, "a", "b", "c").first() == (), "two of five, times 1.9 s"
    assert known(9.0).first() == ()


async def test_code_that_does_not_parse_is_said_to_be_so_without_a_run() -> None:
    result, (_, node), called = await solved(WRONG, BROKEN)
    assert called == ["run_tests", "run_tests", "python"]
    observed = node.step("observe")
    assert observed is not None and "SyntaxError: '(' was never closed" in observed.text and observed.call is None
    assert (result.spent["tool_cpu_s"], result.spent["saved_cpu_s"]) == (1.01, 0.5)
    assert node.score("visible") == 0.0


async def test_code_that_only_a_newer_python_reads_is_run() -> None:
    _, (node,), called = await solved(BROKEN, says="")
    assert called == ["run_tests", "python", "run_tests"] and node.cost.saved_calls == 0


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        ("x = 1", "x=1 # one", True),
        ("def f():\n  'a'\n  return 1", "def f(): return 1", True),
        ("x = 1", "x = 2", False),
        ("x = '1'", "x = 1", False),
        ("x = (", "x = (", True),
        ("x = (", "x = ((", False),
    ],
)
def test_equal_is_what_means_the_same(a: str, b: str, same: bool) -> None:
    assert (_meaning({"a.py": a.encode()}) == _meaning({"a.py": b.encode()})) is same


def test_text_that_is_not_python_is_equal_byte_for_byte() -> None:
    assert _meaning({"a.txt": b"x = 1"}) != _meaning({"a.txt": b"x=1"})
    assert _meaning({"a.py": b"\xff\0"}) != _meaning({"a.py": b"\xfe\0"})
    assert _meaning({"a.py": b"(" * 5000}) != _meaning({"b.py": b"(" * 5000})


@pytest.mark.parametrize(
    ("suite", "asks"),
    [
        (SUITE, True),
        (Suite("pytest", files={"t.py": b"from solution import f\n"}), True),
        (Suite("pytest", files={"t.py": b"import subprocess\n"}), False),
        (Suite("asserts", module="other"), False),
        (None, False),
    ],
)
def test_only_what_the_tests_import_is_asked_about(suite: Suite | None, asks: bool) -> None:
    known = Known(Task("t", "", editable=("solution.py",), visible=suite), lambda text: {})
    assert bool(known.doubt({"solution.py": b"def f(:"})) is asks
    assert known.doubt({"solution.py": b"def f(): pass"}) is None
    assert known.saved({"solution.py": b"def f(:"}) == Cost(saved_calls=1)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (b"def f(x):\n    return 2 * (x\n", "'(' was never closed (s.py:2): return 2 * (x"),
        (b"x = 1\n  y = 2\n", "IndentationError: unexpected indent (s.py:2): y = 2"),
        (b"x\0", "null bytes"),
        (b"x = 1\n", ""),
    ],
)
def test_the_question_to_the_worlds_python(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: bytes, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("s.py").write_bytes(code)
    asked = Known(Task("t", "", editable=("s.py",), visible=Suite("asserts", module="s")), lambda text: {})
    call = asked.doubt({"s.py": b"("})
    assert call is not None
    with redirect_stdout(io.StringIO()) as printed:
        exec(call.arguments["code"], {})
    assert said in printed.getvalue() and bool(said) == bool(printed.getvalue())
