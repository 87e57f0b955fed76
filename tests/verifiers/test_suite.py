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


PASSES = Report((TestResult("0", "passed"), TestResult("1", "passed")))


def results(*outcomes: str) -> list[dict[str, str]]:
    return [{"name": str(i), "outcome": outcome, "message": ""} for i, outcome in enumerate(outcomes)]


async def scene(graded: Report = PASSES) -> Scene:
    sandbox, core = ScriptedSandbox(grade=lambda files, suite: graded), ScriptedCore([])
    world = await sandbox.open({}, Limits())
    return Scene(TASK, Tree("t"), core, world, sandbox, Toolbox.standard(), Limits(), Ledger(clock=core.clock))


def node(*steps: Step) -> Node:
    return Node(-1, 0, "attempt", steps, "s0")


@pytest.mark.parametrize(
    ("outcomes", "score"),
    [(("passed", "passed"), 1.0), (("passed", "failed"), 0.5), (("timeout", "error"), 0.0), (("skipped",), 0.0)],
)
async def test_the_score_is_the_fraction_that_passed(outcomes: tuple[str, ...], score: float) -> None:
    value = {"tests": results(*outcomes), "error": "", "trust": "weak"}
    observed = node(Step("act", ""), Step("observe", "", result=ToolResult(value=value)))
    found = await VisibleSuite().judge(await scene(), observed)
    assert found is not None and found.score == score


async def test_a_full_pass_has_to_be_seen_again_in_a_fresh_world_and_is_charged() -> None:
    value = {"tests": results("passed", "passed"), "error": "", "trust": "weak"}
    observed = node(Step("act", ""), Step("observe", "", result=ToolResult(value=value)))
    place = await scene(Report((TestResult("0", "passed"), TestResult("1", "failed", "3 != 2")), cpu_s=0.5))
    found = await VisibleSuite().judge(place, observed)
    assert found is not None and (found.score, found.detail) == (0.5, "passed once, but in a fresh world 1/2, not 1")
    assert (place.ledger.spent.tool_calls, place.ledger.spent.tool_cpu_s) == (1, 0.5)


async def test_an_attempt_that_could_not_be_used_scores_nothing() -> None:
    found = await VisibleSuite().judge(await scene(), node(Step("act", ""), Step("malformed", "no code block")))
    assert found is not None and (found.score, found.detail) == (0.0, "no code block")


async def test_a_reflection_is_not_judged() -> None:
    assert await VisibleSuite().judge(await scene(), node(Step("reflect", "Mind zero."))) is None


def test_rounding_never_makes_a_pass() -> None:
    tests = tuple(TestResult(str(i), "passed") for i in range(9_999))
    assert verdict(Report((*tests, TestResult("last", "failed")))).score < 1.0


def test_the_tests_that_fail_are_named_and_a_flood_of_long_names_is_cut() -> None:
    outcomes = ("passed", "failed", "skipped", "timeout")
    few = Report(tuple(TestResult(f"test_{outcome}\nb", outcome) for outcome in outcomes))  # type: ignore[arg-type]
    assert verdict(few).detail == "1/3, not test_failed b, test_timeout b"
    flood = verdict(Report(tuple(TestResult("x" * 2_000, "failed") for _ in range(10_000)))).detail
    assert flood.endswith("…, 9995 more") and len(flood) < 500
