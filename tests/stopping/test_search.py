"""Whole searches on the scripted core: what confidence saves, and what there is to say when nothing can be chosen."""

import json

import pytest

from reasoner.assembly import put_together
from reasoner.completions import Sampling
from reasoner.config import BudgetConfig, Config, SearchConfig
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.runtime import EXHAUSTED, Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN
from reasoner.stopping import lead, policy
from reasoner.types import Files, Json, Report, Result, Suite, Task, TestResult, ToolResult
from reasoner.verifiers import make

QUESTION = Task("q", "How many legs have 6 spiders?", answer="48")
CODE = Task(
    "c",
    "Double.",
    files={"solution.py": b""},
    editable=("solution.py",),
    visible=Suite("asserts", asserts=("assert double(2) == 4",)),
)


def world(name: str, arguments: Json, files: Files) -> ToolResult:
    row = {"name": "a", "outcome": "failed", "message": "no"}
    return ToolResult(value={"tests": [row], "error": "", "trust": "weak"}, cpu_s=0.5)


async def searched(task: Task, texts: list[str], confidence: float) -> Result:
    core = ScriptedCore(lambda text, sampling: Reply(texts[len(core.asked) % len(texts)]))
    sandbox = ScriptedSandbox(world, lambda files, suite: Report((TestResult("a", "failed"),)))
    strategy = BestOfN(16, Sampling(temperature=1.0))
    stop = policy(BudgetConfig(confidence=confidence), SearchConfig(), strategy.answer)
    return await Reasoner(core, sandbox, strategy, verifiers=make([]), stop=stop, width=1, clock=core.clock).solve(task)


async def test_answers_that_agree_save_the_rest() -> None:
    result = await searched(QUESTION, ["Answer: 48"], 0.95)
    assert (result.status, result.stop.reason) == ("solved", "4 of 4 answers agree")
    assert result.stop.confidence == 31 / 32
    assert result.spent["decoded"] == 4 * len("Answer: 48|")


async def test_answers_that_do_not_agree_are_all_asked_for() -> None:
    result = await searched(QUESTION, ["Answer: 48", "Answer: 24"], 0.95)
    assert (result.stop.reason, result.stop.confidence) == (EXHAUSTED, 0.5), "eight against eight"


@pytest.mark.parametrize(("texts", "sure"), [(["Answer: 48"] * 16, lead(16, 0)), (["Answer: 48", "Answer: 24"], 0.5)])
async def test_a_search_that_comes_to_its_end_says_how_surely_its_answer_leads(texts: list[str], sure: float) -> None:
    result = await searched(QUESTION, texts, 0.0)
    assert (result.stop.reason, result.stop.confidence) == (EXHAUSTED, sure)


async def test_code_that_fails_its_tests_is_not_sure_however_many_agree() -> None:
    result = await searched(CODE, ["def double(x):\n    return x\n```"], 0.0)
    assert result.stop.confidence is None


async def test_candidates_that_are_all_the_same_are_tested_once() -> None:
    result = await searched(CODE, ["def double(x):\n    return x\n```"], 0.95)
    assert (result.status, result.stop.reason) == ("unsolved", EXHAUSTED)
    assert (result.spent["tool_calls"], result.spent["saved_calls"]) == (2, 15), "one run before the search"


async def test_candidates_of_which_none_can_be_used_are_said_to_be_unsolved() -> None:
    result = await searched(CODE, ["```"], 0.95)
    assert (result.status, result.stop.reason, result.spent["tool_calls"]) == ("unsolved", EXHAUSTED, 1)


async def test_answers_that_say_nothing_have_no_vote() -> None:
    result = await searched(QUESTION, [""], 0.95)
    assert (result.status, result.answer, result.stop.reason) == ("unsolved", "", EXHAUSTED)


def doubling(name: str, arguments: Json, files: Files) -> ToolResult:
    """Whatever doubles passes the test; what is written tells what else it does."""
    code = files["solution.py"].decode()
    if name == "python":
        return ToolResult(json.dumps({"error": "", "outcomes": [f"={'cube' in code}"] * 12}))
    row = {"name": "a", "outcome": "passed" if "2" in code else "failed", "message": ""}
    return ToolResult(value={"tests": [row], "error": "", "trust": "weak"})


async def test_code_that_passes_its_tests_votes_by_what_it_does_else() -> None:
    """All pass the one visible test; the first does something else elsewhere."""
    odd, usual = "2 * x if x == 2 else cube(x)", "2 * x"
    core = ScriptedCore(lambda _, __: Reply(f"def double(x):\n    return {usual if core.asked[1:] else odd}\n```"))
    sandbox = ScriptedSandbox(doubling, lambda files, suite: Report((TestResult("a", "passed"),)))
    config = Config(search=SearchConfig("vote", width=1), budget=BudgetConfig(confidence=0.8))
    result = await put_together(config, core, sandbox).solve(CODE)
    assert (result.stop.reason, result.node) == ("3 of 4 answers agree", 2)
