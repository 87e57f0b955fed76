import json
from collections.abc import Awaitable, Callable

import pytest

from reasoner.completions import Sampling
from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.ledger import Cost
from reasoner.protocols import Scene
from reasoner.search import Vote
from reasoner.tree import Node, Tree
from reasoner.types import Expand, Files, Json, Step, Suite, Task, ToolResult, Verdict
from reasoner.verifiers.self_tests import SelfTests, agreement

SceneOf = Callable[..., Awaitable[Scene]]
TASK = Task("t", "x", editable=("solution.py",), visible=Suite("asserts", asserts=("assert double(2) == 4",)))
WRITTEN = "double(0) == 0\nassert double(-1) == -2, 'negative'\nassert double(2) == 4\nassert double(-1)==-2\n```"


def node() -> Node:
    return Node(-1, 0, "attempt", (Step("act", ""),), "s0")


def passes(*outcomes: str) -> Callable[[str, Json, Files], ToolResult]:
    def answer(name: str, arguments: Json, files: Files) -> ToolResult:
        assert "double(-1) == -2" in arguments["code"]
        return ToolResult(json.dumps({"error": "", "outcomes": outcomes}), cpu_s=0.1)

    return answer


async def test_tests_are_written_once_a_task_and_charged_to_the_verifier(scene_of: SceneOf) -> None:
    scene = await scene_of(TASK, [Reply(WRITTEN)], passes("passed", "failed"))
    verifier = SelfTests()
    first, second = [await verifier.judge(scene, node()) for _ in range(2)]
    assert first == second == Verdict(0.5, "self_tests", "1 of 2 own tests pass", "10")
    assert isinstance(scene.core, ScriptedCore) and len(scene.core.asked) == 1
    assert scene.core.asked[0].text.endswith(
        "no two alike. Cover ordinary cases and edge cases. No other code.<|end|><|assistant|>```python\nassert "
    )
    spent = scene.ledger.spent
    assert spent.verifier > 50 and spent.decoded == 0 and spent.tool_calls == 2


async def test_another_task_has_tests_of_its_own(scene_of: SceneOf) -> None:
    verifier = SelfTests()
    for _ in range(2):
        scene = await scene_of(TASK, [Reply(WRITTEN)], passes("passed", "passed"))
        assert (await verifier.judge(scene, node()) or Verdict(0, "")).key == "11"


async def test_a_core_that_writes_no_tests_is_asked_no_more(scene_of: SceneOf) -> None:
    scene = await scene_of(TASK, [Reply("I cannot.")], passes())
    verifier = SelfTests()
    assert await verifier.judge(scene, node()) is None
    assert await verifier.judge(scene, node()) is None


async def test_a_candidate_that_passes_none_agrees_with_nobody(scene_of: SceneOf) -> None:
    scene = await scene_of(TASK, [Reply(WRITTEN)], passes("failed", "late"))
    found = await SelfTests().judge(scene, node())
    assert found is not None and (found.score, found.key) == (0.0, "")


def passing(*keys: str) -> Tree:
    """One candidate for each key: which of the core's own tests it passes."""
    tree = Tree("t")
    tree.plant([Step("task", "")], "s0")
    for key in keys:
        verdict = Verdict(key.count("1") / max(1, len(key)), "self_tests", key=key if "1" in key else "")
        tree.add(tree.opened(Expand(0, "attempt", Sampling())), [Step("act", "")], "s0", [verdict], Cost())
    return tree


def test_agreement_is_candidates_times_tests() -> None:
    """Three pass the same two of four tests, one passes three, one none: 3 x 2 = 6, 1 x 3 = 3, of 5 x 4 = 20."""
    tree = passing("1100", "1100", "0111", "1100", "0000")
    assert [agreement(tree, node) for node in range(6)] == pytest.approx([0.0, 0.3, 0.3, 0.15, 0.3, 0.0])


@pytest.mark.parametrize(
    ("keys", "answer"),
    [
        (("1000", "1000", "1111"), 3),
        (("1000", "1110", "1110", "1111"), 2),
        (("0000", "0000", "1000"), 3),
        (("1100", "1111", "1100"), 1),
    ],
)
def test_the_vote_is_for_as_many_candidates_times_as_many_tests_as_can_be(keys: tuple[str, ...], answer: int) -> None:
    assert Vote().answer(passing(*keys)) == answer
    best = max(agreement(passing(*keys), node) for node in range(1, len(keys) + 1))
    assert agreement(passing(*keys), answer) == best
