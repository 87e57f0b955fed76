"""Reward heads by their names, and what verifiers that read cost."""

import pytest

from reasoner.completions import CoreInfo, Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.errors import ConfigError
from reasoner.protocols import Strategy
from reasoner.runtime import Reasoner
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.search import BestOfN, Revise
from reasoner.stopping import FirstOf
from reasoner.types import Report, Suite, Task, TestResult, ToolResult
from reasoner.verifiers import make

CODE = Task("c", "Double.", {}, ("solution.py",), Suite("asserts", asserts=("assert double(2) == 4",)))
FAILED = {"name": "a", "outcome": "failed", "message": "assert double(2) == 4, got 1 " * 10}
QUESTION = Task("q", "What is 2 + 2?")


def test_a_head_that_the_core_does_not_have_is_said_with_those_it_has() -> None:
    info = CoreInfo("small", "d", 100, heads=("outcome", "process"))
    assert len(make(["reward:outcome", "step:process"], info)) == 4
    with pytest.raises(ConfigError, match="the core small has no reward head 'outcom': it has outcome, process"):
        make(["reward:outcom"], info)


def says(text: str, sampling: Sampling) -> Reply:
    if "Say only Yes or No" in text[-60:]:
        return Reply("Yes")
    return Reply("Answer: 4" if "2 + 2" in text else f"def double(x):\n    return {sampling.seed % 97}\n```")


@pytest.mark.parametrize("strategy", [Revise(4), BestOfN(4, Sampling(temperature=1.0))])
@pytest.mark.parametrize("task", [CODE, QUESTION])
@pytest.mark.parametrize("scored", [None, -0.5])
@pytest.mark.parametrize(
    "names", [[], ["certainty"], ["judge"], ["reward:h"], ["step:h"], ["step:h", "judge", "reward:h", "self_tests"]]
)
async def test_every_token_that_is_computed_is_charged_once(
    names: list[str], scored: float | None, task: Task, strategy: Strategy
) -> None:
    core = ScriptedCore(says, heads={"h": 0.5}, scored=scored)
    tested = ToolResult(value={"tests": [FAILED], "error": "", "trust": "weak"})
    sandbox = ScriptedSandbox({"run_tests": tested}, lambda files, suite: Report((TestResult("a", "failed"),)))
    reasoner = Reasoner(core, sandbox, strategy, verifiers=make(names, core.info), stop=FirstOf(()), clock=core.clock)
    spent = (await reasoner.solve(task)).spent
    assert spent["prefilled"] + spent["decoded"] + spent["verifier"] == core.computed
    if task is CODE and "step:h" in names:
        assert spent["verifier"] > 0, "what the tests said is read by the head first"
