"""The whole loop on the scripted core and the scripted sandbox: no model, no process, virtual time."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from reasoner import trace
from reasoner.completions import Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.errors import CoreError, TaskError
from reasoner.ledger import Budget, Ledger
from reasoner.protocols import Strategy
from reasoner.runtime import ALREADY, EXHAUSTED, Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN, Revise, Rewind, Single
from reasoner.stopping import SOLVED
from reasoner.trace import Added, Began, Dropped, Event, Finished
from reasoner.tree import Tree
from reasoner.types import Expand, Files, Json, Kept, NodeId, Report, Suite, Task, TestResult, ToolResult

TASK = Task(
    "double",
    "Double a number.",
    files={"solution.py": b"def double(x):\n    pass\n"},
    editable=("solution.py",),
    visible=Suite("asserts", asserts=("assert double(2) == 4", "assert double(0) == 0")),
    hidden=Suite("asserts", asserts=("assert double(-1) == -2  # hidden",)),
)
RIGHT = "def double(x):\n    return 2 * x\n```"
WRONG = "def double(x):\n    return x * x\n```"
WORSE = "def double(x):\n    return 7\n```"


def judge(files: Files) -> list[dict[str, str]]:
    code = files["solution.py"]
    passed = 2 if b"2 * x" in code else 1 if b"x * x" in code else 0
    return [
        {"name": f"assert {i}", "outcome": "passed" if i < passed else "failed", "message": "" if i < passed else "no"}
        for i in range(2)
    ]


def world_says(name: str, arguments: Json, files: Files) -> ToolResult:
    assert name == "run_tests" and arguments["asserts"] and "hidden" not in str(arguments)
    return ToolResult(value={"tests": judge(files), "error": "", "trust": "weak"}, cpu_s=0.5)


def grade(candidate: Files, suite: Suite) -> Report:
    return Report(tuple(TestResult(row["name"], row["outcome"]) for row in judge(candidate)))  # type: ignore[arg-type]


def reasoner(core: ScriptedCore, strategy: Strategy, **options: object) -> Reasoner:
    sandbox = ScriptedSandbox(world_says, grade)
    return Reasoner(core, sandbox, strategy, clock=core.clock, **options)  # type: ignore[arg-type]


def kinds(events: Sequence[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


async def test_a_solution_that_passes_ends_the_search_and_is_graded_again() -> None:
    events: list[Event] = []
    core = ScriptedCore([Reply(RIGHT)])
    result = await reasoner(core, Single()).solve(TASK, events.append)
    assert (result.status, result.stop.reason) == ("solved", SOLVED)
    assert result.files == {"solution.py": b"def double(x):\n    return 2 * x\n"}
    assert result.report is not None and result.report.solved
    assert result.spent["decoded"] == len(RIGHT)
    assert result.spent["tool_calls"] == 3, "before, on the attempt, and once more in a fresh world"
    assert [k for k in kinds(events) if k not in ("Entered", "Wrote")] == [
        "Began", "Added", "Checked", "Opened", "Added", "Stopped", "Finished",
    ]  # fmt: skip


async def test_hidden_tests_grade_and_never_enter_the_world_or_the_trace() -> None:
    events: list[Event] = []
    result = await reasoner(ScriptedCore([Reply(RIGHT)]), Single()).solve(TASK, events.append)
    assert result.hidden is not None and result.hidden.solved
    assert isinstance(events[0], Began) and events[0].task.hidden is None


async def test_a_failed_attempt_is_forgotten_by_the_next() -> None:
    core = ScriptedCore([Reply(WRONG), Reply(RIGHT)])
    result = await reasoner(core, BestOfN(n=2), width=1).solve(TASK)
    assert result.status == "solved"
    assert core.asked[0].text == core.asked[1].text
    assert core.asked[0].sampling.seed != core.asked[1].sampling.seed


async def test_a_revision_reads_the_attempt_and_what_its_tests_said() -> None:
    core = ScriptedCore([Reply(WRONG), Reply(RIGHT)])
    result = await reasoner(core, Revise(n=2)).solve(TASK)
    assert result.status == "solved"
    assert core.asked[1].text.startswith(core.asked[0].text + WRONG)
    assert "1 of 2 passed" in core.asked[1].text


async def test_a_branch_prefills_nothing_that_was_seen() -> None:
    events: list[Event] = []
    core = ScriptedCore([Reply(WRONG), Reply(WORSE), Reply(RIGHT)])
    await reasoner(core, BestOfN(n=3), width=1).solve(TASK, events.append)
    costs = [e.node.cost for e in events if isinstance(e, Added) and e.head is not None]
    assert costs[0].prefilled > 0 and [c.prefilled for c in costs[1:]] == [0, 0]


async def test_the_best_attempt_answers_when_nothing_passes() -> None:
    core = ScriptedCore([Reply(WORSE), Reply(WRONG), Reply(WORSE)])
    result = await reasoner(core, BestOfN(n=3)).solve(TASK)
    assert (result.status, result.stop.reason) == ("unsolved", EXHAUSTED)
    assert b"x * x" in result.files["solution.py"] and result.report is not None and result.report.passed == 1


async def test_a_pass_cancels_what_is_in_flight_and_charges_it() -> None:
    events: list[Event] = []
    core = ScriptedCore([Reply(WRONG * 50, seconds=100), Reply(RIGHT, seconds=50)])
    result = await reasoner(core, BestOfN(n=2)).solve(TASK, events.append)
    assert result.status == "solved"
    (dropped,) = [e for e in events if isinstance(e, Dropped)]
    assert dropped.cost.decoded > 0
    assert result.spent["decoded"] == len(RIGHT) + dropped.cost.decoded


async def test_a_spent_budget_suspends_and_keeps_the_best() -> None:
    core = ScriptedCore(lambda text, sampling: Reply(WRONG.replace("x * x", f"x * x + {sampling.seed} * 0")))
    result = await reasoner(core, BestOfN(n=1000), width=1, budget=Budget(tool_calls=3)).solve(TASK)
    assert result.status == "suspended" and result.stop.reason == "budget spent: tool_calls"
    assert result.spent["tool_calls"] == 3 and b"x * x" in result.files["solution.py"]


async def test_a_rewound_attempt_begins_as_the_other_did_and_prefills_nothing() -> None:
    events: list[Event] = []
    keep = len("def double(x):\n    return 2 * "[:-4])
    strategy = Scripted([Expand(0, "attempt", Sampling()), Expand(0, "attempt", Sampling(), kept=Kept(1, keep))])
    core = ScriptedCore([Reply(WRONG), Reply("2 * x\n```")])
    result = await reasoner(core, strategy).solve(TASK, events.append)
    assert result.status == "solved" and result.files["solution.py"] == b"def double(x):\n    return 2 * x\n"
    second = [e.node for e in events if isinstance(e, Added)][2]
    assert second.cost.prefilled == 0 and second.cost.decoded == len("2 * x\n```")
    act = second.step("act")
    assert act is not None and [span.sampled for span in act.spans] == [False, False, True]
    assert act.text.startswith("def double(x):\n    return 2 * x")


class Scripted:
    """One order after the other."""

    def __init__(self, orders: list[Expand]) -> None:
        self.orders = orders

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        return [] if tree.in_flight or not self.orders else [self.orders.pop(0)]

    def answer(self, tree: Tree) -> NodeId | None:
        return tree.best("visible")


async def test_an_answer_without_code_is_data_and_not_a_crash() -> None:
    core = ScriptedCore([Reply("```"), Reply(RIGHT)])
    events: list[Event] = []
    result = await reasoner(core, BestOfN(n=2), width=1).solve(TASK, events.append)
    assert result.status == "solved"
    nodes = [e.node for e in events if isinstance(e, Added)]
    assert nodes[1].step("malformed") is not None and nodes[1].score("visible") == 0.0


async def test_an_attempt_that_goes_round_in_circles_is_cut_off_and_charged() -> None:
    core = ScriptedCore([Reply("pass\n" * 1000), Reply(RIGHT)])
    result = await reasoner(core, BestOfN(n=2), width=1).solve(TASK)
    assert result.status == "solved"
    assert 160 <= result.spent["decoded"] - len(RIGHT) <= 192


async def test_thinking_comes_before_the_code() -> None:
    core = ScriptedCore([Reply("Twice the number.\n```"), Reply(RIGHT)])
    result = await reasoner(core, Single(think=True)).solve(TASK)
    assert result.status == "solved"
    assert core.asked[1].text.startswith(core.asked[0].text + "Twice the number.")


async def test_a_task_without_tests_is_answered_and_not_called_solved() -> None:
    task = Task("t", "Double.", files=TASK.files, editable=TASK.editable)
    result = await reasoner(ScriptedCore([Reply(RIGHT)]), Single()).solve(task)
    assert result.status == "unsolved" and result.report is None and b"2 * x" in result.files["solution.py"]


async def test_where_no_test_is_visible_the_hidden_ones_decide() -> None:
    task = replace(TASK, visible=None)
    result = await reasoner(ScriptedCore([Reply(RIGHT)]), Single()).solve(task)
    assert result.status == "solved" and result.report is None


async def test_what_passes_the_visible_tests_and_not_the_hidden_ones_is_unsolved() -> None:
    def hidden_fail(candidate: Files, suite: Suite) -> Report:
        return Report((TestResult("-1", "failed"),)) if suite is TASK.hidden else grade(candidate, suite)

    core = ScriptedCore([Reply(RIGHT)])
    result = await Reasoner(core, ScriptedSandbox(world_says, hidden_fail), Single(), clock=core.clock).solve(TASK)
    assert result.status == "unsolved" and result.report is not None and result.report.solved


async def test_a_core_that_fails_is_our_failure_and_the_trace_stays_readable(tmp_path: Path) -> None:
    core = ScriptedCore([Reply(WRONG), Reply(fails="the server went away: start it again")])
    recorder = trace.Recorder(tmp_path / "t.jsonl", core.clock)
    with pytest.raises(CoreError, match="went away"):
        await reasoner(core, BestOfN(n=2), width=1).solve(TASK, recorder)
    recorder.close()
    kept = trace.read(tmp_path / "t.jsonl")
    assert len(kept.tree()) == 2 and not kept.tree().in_flight


async def test_one_seed_gives_one_trace_byte_for_byte(tmp_path: Path) -> None:
    def reply(text: str, sampling: object) -> Reply:
        seed: int = sampling.seed  # type: ignore[attr-defined]
        return Reply([WRONG, WORSE, RIGHT][seed % 3 if seed % 7 else 2], seconds=1 + seed % 5)

    for name in ("a", "b"):
        core = ScriptedCore(reply)
        recorder = trace.Recorder(tmp_path / name, core.clock)
        await reasoner(core, BestOfN(n=40), width=6, seed=5).solve(TASK, recorder)
        recorder.close()
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


async def test_a_trace_rebuilds_the_tree(tmp_path: Path) -> None:
    core = ScriptedCore([Reply(WRONG), Reply(WORSE), Reply(RIGHT)])
    events: list[Event] = []
    recorder = trace.Recorder(tmp_path / "t.jsonl", core.clock)
    await reasoner(core, Revise(n=3)).solve(TASK, recorder, events.append)
    recorder.close()
    rebuilt = trace.read(tmp_path / "t.jsonl")
    assert rebuilt.tree().nodes == [e.node for e in events if isinstance(e, Added)]
    assert isinstance(rebuilt.events[-1], Finished) and not rebuilt.cut


async def test_a_task_whose_tests_pass_as_it_is_costs_no_token() -> None:
    done = replace(TASK, files={"solution.py": b"def double(x):\n    return 2 * x\n"})
    result = await reasoner(ScriptedCore([]), BestOfN()).solve(done)
    assert (result.status, result.stop.reason, result.node, result.files) == ("solved", ALREADY, None, done.files)
    assert result.report is not None and result.report.solved
    assert result.spent["decoded"] == 0


async def test_tests_that_no_solution_can_make_run_are_refused_before_a_token_is_spent() -> None:
    def nothing(name: str, arguments: Json, files: Files) -> ToolResult:
        return ToolResult(value={"tests": [], "error": "no tests were found", "trust": "weak"})

    core = ScriptedCore([Reply(RIGHT)])
    with pytest.raises(TaskError, match="task double: no test was found in its test files"):
        await Reasoner(core, ScriptedSandbox(nothing, grade), Single(), clock=core.clock).solve(TASK)


async def test_a_task_that_fills_the_context_is_refused_before_anything_is_asked() -> None:
    core = ScriptedCore([Reply(RIGHT)], context=600)
    reasoner = Reasoner(core, ScriptedSandbox(world_says), Single(), clock=core.clock)
    with pytest.raises(TaskError, match=r"task double: its prompt has [\d,]+ tokens, and scripted reads 600"):
        await reasoner.solve(replace(TASK, prompt="Double a number. " * 50))
    assert core.asked == []


@pytest.mark.parametrize("strategy", [Revise(n=40), BestOfN(n=3)])
async def test_a_branch_that_fills_the_context_ends_and_not_the_search(strategy: Strategy) -> None:
    core = ScriptedCore(lambda text, sampling: Reply(WRONG), context=1500)
    result = await reasoner(core, strategy, width=1).solve(TASK)
    assert (result.status, result.stop.reason) == ("unsolved", EXHAUSTED)
    assert b"x * x" in result.files["solution.py"]


async def test_a_terse_attempt_may_not_open_a_comment_and_any_other_may() -> None:
    core = ScriptedCore(lambda text, sampling: Reply("    return 7\n```" if text.endswith(":\n") else WORSE))
    await reasoner(core, Rewind(n=4, inside=0.0), width=1).solve(TASK)
    assert [ord("#") in request.sampling.never for request in core.asked] == [True, True, True, False]
