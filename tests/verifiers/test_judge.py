from collections.abc import Awaitable, Callable

import pytest

from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.protocols import Scene
from reasoner.tree import Node
from reasoner.types import Span, Step, Suite, Task, ToolResult
from reasoner.verifiers.judge import Judge

SceneOf = Callable[..., Awaitable[Scene]]
QUESTION = Task("q", "What is 2 + 2?")
CODING = Task("t", "x", editable=("a.py",), visible=Suite("asserts", asserts=("a",)))
ASKED = "Is that {} right in every case? Say only Yes or No.<|end|><|assistant|>"


def node(*steps: Step) -> Node:
    return Node(-1, 0, "attempt", steps, "s0")


def observed(outcome: str) -> Step:
    row = {"name": "a", "outcome": outcome, "message": ""}
    return Step("observe", "", result=ToolResult(value={"tests": [row], "error": "", "trust": "weak"}))


ANSWER = Step("answer", "4", (Span(tuple(b"4"), sampled=True),))


async def test_a_core_that_cannot_score_is_asked_a_few_times(scene_of: SceneOf) -> None:
    scene = await scene_of(QUESTION, [Reply("Yes"), Reply("No."), Reply("yes!"), Reply("Well")])
    found = await Judge(samples=4).judge(scene, node(ANSWER))
    assert found is not None
    assert (found.score, found.source, found.detail) == (pytest.approx(3 / 5), "judge", "2 yes, 1 no")
    assert isinstance(scene.core, ScriptedCore)
    assert scene.core.asked[0].text.endswith("4\n\n" + ASKED.format("answer"))
    assert len({request.sampling.seed for request in scene.core.asked}) == 4


async def test_the_question_is_charged_as_the_verifiers(scene_of: SceneOf) -> None:
    scene = await scene_of(QUESTION, [Reply("Yes")] * 2)
    await Judge(samples=2).judge(scene, node(ANSWER))
    spent = scene.ledger.spent
    assert spent.verifier > 6 and (spent.prefilled, spent.decoded) == (0, 0)


async def test_code_that_failed_its_tests_is_not_asked_about(scene_of: SceneOf) -> None:
    scene = await scene_of(CODING, [Reply("Yes")])
    assert await Judge(1).judge(scene, node(Step("act", ""), observed("failed"))) is None
    assert await Judge(1).judge(scene, node(Step("act", ""), Step("malformed", "no code"))) is None
    assert scene.ledger.spent.verifier == 0
    found = await Judge(1).judge(scene, node(Step("act", ""), observed("passed")))
    assert found is not None and found.score == pytest.approx(2 / 3)
    assert isinstance(scene.core, ScriptedCore) and scene.core.asked[0].text.endswith(ASKED.format("code"))


async def test_a_thought_without_an_answer_is_not_judged(scene_of: SceneOf) -> None:
    assert await Judge().judge(await scene_of(QUESTION), node(Step("think", "Hm."))) is None
