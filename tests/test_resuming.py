"""A search that is cut off anywhere and resumed: the tree of one that was not, and every cost counted."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reasoner import trace
from reasoner.completions import Sampling
from reasoner.config import SearchConfig
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.errors import TraceError
from reasoner.ledger import Budget, Cost, Ledger, Prices
from reasoner.protocols import Strategy
from reasoner.runtime import EXHAUSTED, Reasoner
from reasoner.sandboxes import open_sandbox
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN, Revise, Rewind, Single, make, names
from reasoner.stopping import SOLVED
from reasoner.trace import Added, Checked, Dropped, Event, Finished, Grew, Opened, Recorder, Redone, Resumed
from reasoner.tree import Node, Tree
from reasoner.types import Expand, Files, Json, NodeId, Report, Result, Suite, Task, TestResult, ToolResult

TASK = Task(
    "double",
    "Double a number.",
    files={"solution.py": b"def double(x):\n    pass\n"},
    editable=("solution.py",),
    visible=Suite("asserts", asserts=("assert double(2) == 4", "assert double(0) == 0")),
    hidden=Suite("asserts", asserts=("assert double(-1) == -2",)),
)
RIGHT = "def double(x):\n    return 2 * x\n```"
WRONG = "def double(x):\n    return x * x\n```"
WORSE = "def double(x):\n    return 7\n```"
STRATEGIES: list[Callable[[], Strategy]] = [
    Single,
    lambda: BestOfN(7),
    lambda: Revise(5),
    lambda: Rewind(9, Sampling(temperature=0.8), lessons=True),
]


def judged(files: Files) -> tuple[TestResult, ...]:
    code = files["solution.py"]
    passed = 2 if b"2 * x" in code else 1 if b"x * x" in code else 0
    return tuple(TestResult(f"assert {i}", "passed" if i < passed else "failed") for i in range(2))


def world_says(name: str, arguments: Json, files: Files) -> ToolResult:
    rows = [{"name": t.name, "outcome": t.outcome, "message": ""} for t in judged(files)]
    return ToolResult(value={"tests": rows, "error": "", "trust": "weak"}, cpu_s=0.5)


def by_seed(text: str, sampling: Sampling) -> Reply:
    """One in eight is right; how long it takes hangs on the seed alone, as a model's answers do."""
    return Reply([WRONG, WORSE, WRONG + "x", WORSE, WRONG, WRONG, WORSE, RIGHT][sampling.seed % 8], seconds=1.0)


def reasoner(strategy: Strategy, script: object = by_seed, says: object = world_says, **options: object) -> Reasoner:
    core = ScriptedCore(script)  # type: ignore[arg-type]
    sandbox = ScriptedSandbox(says, lambda files, suite: Report(judged(files)))  # type: ignore[arg-type]
    return Reasoner(core, sandbox, strategy, clock=core.clock, **options)  # type: ignore[arg-type]


def recorded(path: Path, solver: Reasoner, task: Task = TASK) -> Result:
    recorder = Recorder(path, solver.clock)
    try:
        return asyncio.run(solver.solve(task, recorder))
    finally:
        recorder.close()


def resumed(path: Path, solver: Reasoner, task: Task = TASK) -> Result:
    past = trace.read(path)
    recorder = Recorder(path, solver.clock, onto=past)
    try:
        return asyncio.run(solver.resume(task, past, recorder))
    finally:
        recorder.close()


def compared(nodes: list[Node]) -> list[Node]:
    """Nodes without what a resumption may change: names of snapshots, and what was still in a cache."""
    return [replace(node, world="", cost=Cost()) for node in nodes]


@settings(max_examples=40, deadline=None)
@given(data=st.data(), seed=st.integers(0, 50), which=st.integers(0, 3), width=st.sampled_from([1, 1, 4]))
def test_a_search_that_was_cut_anywhere_and_resumed_grows_the_tree_of_one_that_was_not(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, seed: int, which: int, width: int
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    whole = recorded(folder / "whole.jsonl", reasoner(STRATEGIES[which](), seed=seed, width=width))
    content = (folder / "whole.jsonl").read_bytes()
    first = content.index(b"\n")
    cut = folder / "cut.jsonl"
    cut.write_bytes(content[: data.draw(st.integers(first, len(content) - 1), "bytes kept")])
    again = resumed(cut, reasoner(STRATEGIES[which](), seed=seed, width=width))
    expected, grown = (trace.read(folder / name).tree().nodes for name in ("whole.jsonl", "cut.jsonl"))
    if width == 1:
        assert compared(grown) == compared(expected)
    if width == 1 or which < 2:
        assert (again.status, again.stop) == (whole.status, whole.stop)
    assert [e.head.id for e in trace.read(cut).events if isinstance(e, Opened)]
    assert not trace.read(cut).cut


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("seed", [0, 3])
def test_cut_after_every_line_it_ends_with_the_same_tree(tmp_path: Path, which: int, seed: int) -> None:
    whole = recorded(tmp_path / "whole.jsonl", reasoner(STRATEGIES[which](), seed=seed, width=1))
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        path = tmp_path / f"{kept}.jsonl"
        path.write_bytes(b"".join(lines[:kept]))
        again = resumed(path, reasoner(STRATEGIES[which](), seed=seed, width=1))
        assert (again.status, again.node, again.files) == (whole.status, whole.node, whole.files)
        assert compared(trace.read(path).tree().nodes) == compared(trace.read(tmp_path / "whole.jsonl").tree().nodes)
        assert again.hidden == whole.hidden, "what only grades is not in the trace, and still graded"


@pytest.mark.parametrize("name", names())
def test_whatever_the_strategy_it_ends_with_the_same_tree(tmp_path: Path, name: str) -> None:
    def solver() -> Reasoner:
        return reasoner(
            make(SearchConfig(name, attempts=6, temperature=0.8)), never, width=1, budget=Budget(tool_calls=12)
        )

    whole = recorded(tmp_path / "whole.jsonl", solver())
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines), max(3, len(lines) // 7)):
        path = tmp_path / f"{kept}.jsonl"
        path.write_bytes(b"".join(lines[:kept]))
        again = resumed(path, replace(solver(), budget=Budget(tool_calls=8 + redone(path))))
        grown = compared(trace.read(path).tree().nodes)
        expected = compared(trace.read(tmp_path / "whole.jsonl").tree().nodes)
        assert grown == expected[: len(grown)] and len(grown) >= len(expected) - 2
        if whole.stop.reason == EXHAUSTED:
            assert (again.stop.reason, grown) == (EXHAUSTED, expected)


def redone(path: Path) -> int:
    """Calls that a resumption may have to make once more: those of the nodes that are there."""
    return sum(step.call is not None for node in trace.read(path).tree().nodes for step in node.steps)


def test_side_by_side_the_same_heads_become_the_same_nodes(tmp_path: Path) -> None:
    recorded(tmp_path / "whole.jsonl", reasoner(BestOfN(12), never, width=4))
    lines = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)
    for kept in range(1, len(lines)):
        path = tmp_path / f"{kept}.jsonl"
        path.write_bytes(b"".join(lines[:kept]))
        resumed(path, reasoner(BestOfN(12), never, width=4))
        assert by_head(path) == by_head(tmp_path / "whole.jsonl")


def never(text: str, sampling: Sampling) -> Reply:
    return Reply([WRONG, WORSE][sampling.seed % 2], seconds=1 + sampling.seed % 5)


def by_head(path: Path) -> dict[int | None, Node]:
    added = [e for e in trace.read(path).events if isinstance(e, Added)]
    return {e.head: replace(e.node, id=0, world="", cost=Cost()) for e in added}


def test_a_search_that_is_killed_again_and_again_comes_to_the_same_end(tmp_path: Path) -> None:
    whole = recorded(
        tmp_path / "whole.jsonl", reasoner(Rewind(9, Sampling(temperature=0.8), lessons=True), never, width=1)
    )
    path, size = tmp_path / "t.jsonl", 0
    first = (tmp_path / "whole.jsonl").read_bytes().splitlines(keepends=True)[0]
    path.write_bytes(first + b'{"event": "add')
    for _ in range(100):
        again = resumed(path, reasoner(Rewind(9, Sampling(temperature=0.8), lessons=True), never, width=1))
        content = path.read_bytes()
        size = min(len(content) - 1, size + len(content) // 40 + 200)
        if size == len(content) - 1:
            break
        path.write_bytes(content[: max(size, len(first))])
    assert (again.status, again.stop.reason, again.files) == (whole.status, EXHAUSTED, whole.files)
    assert compared(trace.read(path).tree().nodes) == compared(trace.read(tmp_path / "whole.jsonl").tree().nodes)


def test_a_spent_budget_suspends_and_more_of_it_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    wrong = [Reply(WRONG.replace("x * x", f"x * x + {n} * 0")) for n in range(4)]
    first = recorded(path, reasoner(BestOfN(9), [*wrong[:3], Reply(RIGHT)], width=1, budget=Budget(tool_calls=3)))
    assert first.status == "suspended"
    more = reasoner(BestOfN(9), [wrong[3], Reply(RIGHT)], width=1, budget=Budget(tool_calls=6))
    more.core.info = replace(more.core.info, digest=trace.read(path).began.digest)  # type: ignore[misc]
    second = resumed(path, more)
    assert (second.status, second.stop.reason) == ("solved", SOLVED)
    assert second.spent["tool_calls"] == 6, "one before the search, four attempts, and the pass once more"
    assert [type(e) for e in trace.read(path).events].count(Resumed) == 1
    assert trace.read(path).budget == Budget(tool_calls=6)


def uneven(text: str, sampling: Sampling) -> Reply:
    """Never right; every other one is much longer than what came before lets expect, so a budget ends inside it."""
    longer = WRONG.replace("x * x", f"x * x  # {'and so on ' * 20}")
    return Reply([WRONG, longer][sampling.seed % 2], seconds=1 + sampling.seed % 5)


def test_without_more_budget_it_stops_at_once_and_nothing_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    recorded(path, reasoner(BestOfN(50), uneven, width=4, budget=Budget(tokens=700)))
    before = trace.read(path)
    again = resumed(path, reasoner(BestOfN(50), uneven, width=4, budget=Budget(tokens=700)))
    assert again.status == "suspended"
    assert len(trace.read(path).tree()) == len(before.tree())
    assert trace.read(path).unfinished == before.unfinished != []


def test_branches_that_were_dropped_are_charged_over_every_resumption(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    totals = []
    for tokens in (600, 1200, 1800):
        solver = reasoner(BestOfN(50), uneven, width=4, budget=Budget(tokens=tokens))
        result = resumed(path, solver) if path.exists() else recorded(path, solver)
        assert result.status == "suspended"
        totals.append(result.spent["prefilled"] + result.spent["decoded"])
    assert totals == sorted(totals) and totals[0] >= 600 and totals[2] >= 1800
    events = trace.read(path).events
    dropped = sum(e.cost.tokens for e in events if isinstance(e, Dropped))
    grown = sum(e.node.cost.tokens for e in events if isinstance(e, Added))
    assert dropped > 0 and dropped + grown == totals[2] == trace.read(path).spent.tokens


def test_what_was_growing_at_a_kill_is_charged_as_far_as_it_is_known(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    slow = [Reply(WRONG * 6, seconds=60.0)]
    recorded(path, reasoner(Single(), slow))
    events = path.read_bytes().splitlines(keepends=True)
    grew = [i for i, line in enumerate(events) if b'"grew"' in line]
    assert len(grew) == 3, "an account every few seconds"
    path.write_bytes(b"".join(events[: grew[2] + 1]))
    past = trace.read(path)
    known = next(e.cost for e in reversed(past.events) if isinstance(e, Grew))
    assert known.decoded > 0 and past.spent.tokens == known.tokens
    again = resumed(path, reasoner(Single(), slow))
    whole = trace.read(path)
    lost = [e for e in whole.events if isinstance(e, Dropped)]
    assert [(e.reason, e.cost) for e in lost] == [("killed", known)]
    assert again.spent["decoded"] == known.decoded + whole.tree()[1].cost.decoded


def test_seconds_go_on_from_where_they_were_and_a_night_between_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    recorded(path, reasoner(BestOfN(3), never, width=1))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:5]))
    before = trace.read(path).seconds
    solver = reasoner(BestOfN(3), never, width=1)
    asyncio.run(solver.clock.sleep(3600))  # type: ignore[attr-defined]
    again = resumed(path, solver)
    assert before < again.spent["wall_s"] < 60
    assert trace.read(path).seconds == pytest.approx(again.spent["wall_s"], abs=0.01)


def test_the_world_of_an_earlier_node_is_made_again_when_it_is_needed_and_only_then(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    recorded(path, reasoner(BestOfN(5), never, width=1))
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(lines[:-4]))
    again = resumed(path, reasoner(BestOfN(5), never, width=1))
    redone = [e for e in trace.read(path).events if isinstance(e, Redone)]
    assert [(e.node, e.differs) for e in redone] == [(again.node, "")], "the answer's files were asked for, no others"
    assert b"x * x" in again.files["solution.py"]


def test_a_world_that_comes_out_differently_is_said(tmp_path: Path) -> None:
    def otherwise(name: str, arguments: Json, files: Files) -> ToolResult:
        return ToolResult(value={"tests": [], "error": "it broke", "trust": "weak"})

    path = tmp_path / "t.jsonl"
    recorded(path, reasoner(BestOfN(3), never, width=1))
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-2]))
    resumed(path, reasoner(BestOfN(3), never, says=otherwise, width=1))
    (redone,) = [e for e in trace.read(path).events if isinstance(e, Redone)]
    assert redone.differs == "1 of 2 tests passed, 0 of 0 now"
    assert redone.cost.tool_calls == 1


async def test_a_question_resumes_in_the_middle_of_its_steps(tmp_path: Path) -> None:
    task = Task("q", "How many legs have 6 spiders?", answer="48")
    events: list[Event] = []
    script = [("spiders", [Reply("```python\nn = 6\n```\n"), Reply("Answer: 47"), Reply("Answer: 48")])]
    core = ScriptedCore(script)
    sandbox = ScriptedSandbox({"python": ToolResult("", None)})
    solver = Reasoner(core, sandbox, BestOfN(2), clock=core.clock, width=1)
    await solver.solve(task, events.append)
    opened = [i for i, e in enumerate(events) if isinstance(e, Opened)]
    past = trace.Trace([e for e in events[: opened[1] + 1] if type(e).__name__ not in ("Entered", "Wrote")])
    again_core = ScriptedCore([Reply("Answer: 48")])
    again_core.info = core.info
    result = await Reasoner(again_core, sandbox, BestOfN(2), clock=again_core.clock, width=1).resume(task, past)
    assert (result.stop.reason, result.spent["tool_calls"]) == (EXHAUSTED, 1)


def test_another_core_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    recorded(path, reasoner(Single()))
    with pytest.raises(TraceError, match=r"cannot go on with scripted \(.*use the same model"):
        resumed(path, reasoner(Single(), [Reply(RIGHT)]))


def test_another_task_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    recorded(path, reasoner(Single()))
    with pytest.raises(TraceError, match="not the one that was recorded"):
        resumed(path, reasoner(Single()), replace(TASK, prompt="Halve a number."))


def test_two_processes_never_write_one_trace(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    recorded(path, reasoner(Single()))
    past = trace.read(path)
    one = Recorder(path, lambda: 0.0, onto=past)
    assert trace.is_written(path)
    with pytest.raises(TraceError, match="another process is writing"):
        Recorder(path, lambda: 0.0, onto=past)
    one.close()
    assert not trace.is_written(path)


def test_a_trace_of_the_first_version_is_resumed(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    whole = recorded(path, reasoner(BestOfN(6), width=1, seed=2))
    lines = [
        line.replace(b'"version":2', b'"version":1').replace(b',"graded":true', b"")
        for line in path.read_bytes().splitlines(keepends=True)
        if b'"checked"' not in line
    ]
    path.write_bytes(b"".join(lines[:3]))
    again = resumed(path, reasoner(BestOfN(6), width=1, seed=2))
    assert (again.status, again.files) == (whole.status, whole.files)
    events = trace.read(path).events
    assert any(isinstance(e, Checked) for e in events) and isinstance(events[-1], Finished)


def test_money_is_carried_over(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    prices = Prices(prefilled=1.0, cached=0.1, decoded=4.0, second=0.001)
    options = {"width": 2, "prices": prices}
    first = recorded(path, reasoner(BestOfN(50), never, budget=Budget(money=0.002), **options))
    assert (first.status, first.stop.reason) == ("suspended", "budget spent: money")
    again = resumed(path, reasoner(BestOfN(50), never, budget=Budget(money=0.02), **options))
    spent = again.spent
    tokens = prices.tokens(Cost(prefilled=spent["prefilled"], cached=spent["cached"], decoded=spent["decoded"]))
    assert spent["money"] == pytest.approx(tokens + 0.001 * spent["wall_s"], rel=1e-3)


class StepByStep:
    """One step after the other, each in the world that the last one left."""

    def __init__(self, steps: int) -> None:
        self.steps = steps

    def select(self, tree: Tree, ledger: Ledger, free: int) -> list[Expand]:
        if tree.in_flight or len(tree) > self.steps or tree.nodes[-1].step("answer"):
            return []
        return [Expand(tree.nodes[-1].id, "continue", Sampling(max_tokens=200))]

    def answer(self, tree: Tree) -> NodeId | None:
        return tree.nodes[-1].id


NOTEBOOK = [
    "```python\nimport random\nlegs = {'spider': 8}\nopen('n.txt', 'w').write('6')\n```\n",
    "```python\nprint(object() is None, id(legs) > 0)\n```\n",
    "```python\nprint(legs['spider'] * int(open('n.txt').read()))\n```\n",
    "Answer: 48",
]


def notebook(text: str, sampling: Sampling) -> Reply:
    return Reply(NOTEBOOK[text.count("```output")])


async def test_variables_and_files_of_a_real_world_are_there_again(tmp_path: Path) -> None:
    sandbox = await open_sandbox("bubblewrap")
    core = ScriptedCore(notebook)
    solver = Reasoner(core, sandbox, StepByStep(4))
    task = Task("q", "How many legs have 6 spiders?", answer="48")
    path = tmp_path / "t.jsonl"
    try:
        recorder = Recorder(path, solver.clock)
        whole = await solver.solve(task, recorder)
        recorder.close()
        assert whole.status == "solved"
        lines = path.read_bytes().splitlines(keepends=True)
        added = [i for i, line in enumerate(lines) if b'"added"' in line]
        path.write_bytes(b"".join(lines[: added[2] + 1]))
        past = trace.read(path)
        recorder = Recorder(path, solver.clock, onto=past)
        again = await solver.resume(task, past, recorder)
        recorder.close()
    finally:
        await sandbox.close()
    after = trace.read(path)
    assert (again.status, again.answer) == ("solved", "48")
    assert after.tree()[3].steps[1].text == "```output\n48\n```"
    assert [(e.node, e.differs) for e in after.events if isinstance(e, Redone)] == [(1, ""), (2, "")]
