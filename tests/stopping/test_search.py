"""Whole searches on the scripted core: what confidence saves, and what there is to say when nothing can be chosen."""

from reasoner.config import BudgetConfig, SearchConfig
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.runtime import EXHAUSTED, Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN
from reasoner.stopping import policy
from reasoner.types import Files, Json, Report, Result, Sampling, Suite, Task, TestResult, ToolResult
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
    stop = policy(BudgetConfig(confidence=confidence), SearchConfig())
    strategy = BestOfN(16, Sampling(temperature=1.0))
    return await Reasoner(core, sandbox, strategy, verifiers=make([]), stop=stop, width=1, clock=core.clock).solve(task)


async def test_answers_that_agree_save_the_rest() -> None:
    result = await searched(QUESTION, ["Answer: 48"], 0.95)
    assert (result.status, result.stop.reason) == ("solved", "4 of 4 answers agree")
    assert result.stop.confidence == 31 / 32
    assert result.spent["decoded"] == 4 * len("Answer: 48|")


async def test_answers_that_do_not_agree_are_all_asked_for() -> None:
    result = await searched(QUESTION, ["Answer: 48", "Answer: 24"], 0.95)
    assert result.stop.reason == EXHAUSTED and result.stop.confidence is None


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
