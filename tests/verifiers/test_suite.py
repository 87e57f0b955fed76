import pytest

from reasoner.cores.scripted import ScriptedCore
from reasoner.ledger import Ledger
from reasoner.protocols import Scene
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.toolbox import Toolbox
from reasoner.tree import Node, Tree
from reasoner.types import Limits, Report, Step, Suite, Task, TestResult, ToolResult
from reasoner.verifiers.suite import VisibleSuite, verdict

TASK = Task("t", "x", visible=Suite("asserts", asserts=("a", "b")))


def results(*outcomes: str) -> list[dict[str, str]]:
    return [{"name": str(i), "outcome": outcome, "message": ""} for i, outcome in enumerate(outcomes)]


async def scene() -> Scene:
    sandbox, core = ScriptedSandbox(), ScriptedCore([])
    world = await sandbox.open({}, Limits())
    return Scene(TASK, Tree("t"), core, world, sandbox, Toolbox.standard(), Limits(), Ledger(clock=core.clock))


def node(*steps: Step) -> Node:
    return Node(-1, 0, "attempt", steps, "s1")


@pytest.mark.parametrize(
    ("outcomes", "score"),
    [(("passed", "passed"), 1.0), (("passed", "failed"), 0.5), (("timeout", "error"), 0.0), (("skipped",), 0.0)],
)
async def test_the_score_is_the_fraction_that_passed(outcomes: tuple[str, ...], score: float) -> None:
    value = {"tests": results(*outcomes), "error": "", "trust": "weak"}
    observed = node(Step("act", ""), Step("observe", "", result=ToolResult(value=value)))
    found = await VisibleSuite().judge(await scene(), observed)
    assert found is not None and found.score == score


async def test_an_attempt_that_could_not_be_used_scores_nothing() -> None:
    found = await VisibleSuite().judge(await scene(), node(Step("act", ""), Step("malformed", "no code block")))
    assert found is not None and (found.score, found.detail) == (0.0, "no code block")


async def test_a_reflection_is_not_judged() -> None:
    assert await VisibleSuite().judge(await scene(), node(Step("reflect", "Mind zero."))) is None


def test_rounding_never_makes_a_pass() -> None:
    tests = tuple(TestResult(str(i), "passed") for i in range(9_999))
    assert verdict(Report((*tests, TestResult("last", "failed")))).score < 1.0
