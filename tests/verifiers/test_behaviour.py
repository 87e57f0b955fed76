import json
from collections.abc import Awaitable, Callable

import pytest

from reasoner.cores.scripted import Reply, ScriptedCore
from reasoner.errors import SandboxError
from reasoner.ledger import Ledger
from reasoner.protocols import Scene
from reasoner.sandboxes import open_sandbox
from reasoner.toolbox import Toolbox
from reasoner.tree import Node, Tree
from reasoner.types import Files, Json, Limits, Step, Suite, Task, ToolResult, Verdict
from reasoner.verifiers import make
from reasoner.verifiers.behaviour import Behaviour

SceneOf = Callable[..., Awaitable[Scene]]
TASK = Task("t", "x", editable=("solution.py",), visible=Suite("asserts", asserts=("assert double(2) == 4",)))


def node(world: str = "s0") -> Node:
    return Node(-1, 0, "attempt", (Step("act", ""),), world)


def says(**answer: object) -> ToolResult:
    return ToolResult(output=f"printed\n{json.dumps(answer)}\n", cpu_s=0.25)


async def judged(scene_of: SceneOf, result: ToolResult) -> Verdict | None:
    scene = await scene_of(TASK, tools={"python": result})
    found = await Behaviour(3).judge(scene, node())
    assert (scene.ledger.spent.tool_calls, scene.ledger.spent.tool_cpu_s) == (1, result.cpu_s)
    return found


async def test_equal_outcomes_are_one_vote(scene_of: SceneOf) -> None:
    one, same, other = [
        await judged(scene_of, says(error="", outcomes=words))
        for words in (["=a", "=b", "late"], ["=a", "=b", "late"], ["=a", "=c", "late"])
    ]
    assert one is not None and other is not None
    assert one == same and one.key != other.key
    assert one.score == pytest.approx(2 / 3)


async def test_candidates_that_only_fail_have_no_vote(scene_of: SceneOf) -> None:
    found = await judged(scene_of, says(error="", outcomes=["raised TypeError"] * 3))
    assert found is not None and (found.score, found.key) == (0.0, "")


@pytest.mark.parametrize(
    "result",
    [
        ToolResult(error="timeout", detail="10 s"),
        ToolResult("no JSON"),
        ToolResult("[" * 50_000),
        says(error="", outcomes=["=a"]),
        says(error="", outcomes=[1, 2, 3]),
        says(outcomes="=a"),
        says(error="from solution import *: raised SyntaxError", outcomes=[]),
        ToolResult("[1]"),
    ],
)
async def test_an_answer_of_another_form_is_no_vote(scene_of: SceneOf, result: ToolResult) -> None:
    found = await judged(scene_of, result)
    assert found is not None and (found.score, found.key) == (0.0, "") and found.detail


async def test_what_cannot_be_told_apart_is_not_run(scene_of: SceneOf) -> None:
    def never(name: str, arguments: Json, files: Files) -> ToolResult:
        raise AssertionError("nothing is to be run")

    scene = await scene_of(Task("t", "x", editable=("a.py",)), tools=never)
    assert await Behaviour().judge(scene, node()) is None
    scene = await scene_of(TASK, tools=never)
    malformed = Node(-1, 0, "attempt", (Step("act", ""), Step("malformed", "no code")), "s0")
    assert await Behaviour().judge(scene, malformed) is None


STUB = Task("t", "x", files={"solution.py": b"def double(x):\n    pass\n"}, editable=("solution.py",))
WRITTEN = "double(0) == 1\nassert double(-3) == -6, 'negative'\nassert open('x')\n```"


async def test_without_visible_tests_the_calls_of_the_core_s_own_are_made_without_what_they_expect(
    scene_of: SceneOf,
) -> None:
    asked: list[str] = []

    def world(name: str, arguments: Json, files: Files) -> ToolResult:
        asked.append(arguments["code"])
        return ToolResult(json.dumps({"error": "", "outcomes": ["=a", "=b"]}))

    scene = await scene_of(STUB, [Reply(WRITTEN)], world)
    verifier = Behaviour(2)
    first, second = [await verifier.judge(scene, node()) for _ in range(2)]
    assert first is not None and first == second and first.key
    assert "_seen(double, 0)" in asked[0] and "_seen(double, -3)" in asked[0] and "-6" not in asked[0]
    assert isinstance(scene.core, ScriptedCore) and len(scene.core.asked) == 1, "they are written once a task"
    assert scene.ledger.spent.verifier > 50 and scene.ledger.spent.decoded == 0


async def test_one_call_of_the_visible_tests_goes_before_those_of_the_core(scene_of: SceneOf) -> None:
    asked: list[str] = []

    def world(name: str, arguments: Json, files: Files) -> ToolResult:
        asked.append(arguments["code"])
        return ToolResult(json.dumps({"error": "", "outcomes": ["=a", "=b"]}))

    only = Task("t", "x", editable=("solution.py",), visible=Suite("asserts", asserts=("assert roll() < 7",)))
    scene = await scene_of(only, [Reply("roll() in range(7)\nassert sorted([roll()])\n```")], world)
    assert await Behaviour(2).judge(scene, node()) is not None
    assert asked[0].index("_seen(roll)") < asked[0].index("_seen(sorted, [roll()])")


async def test_visible_tests_that_hold_enough_calls_cost_no_token(scene_of: SceneOf) -> None:
    scene = await scene_of(TASK, [], {"python": says(error="", outcomes=["=a"] * 3)})
    assert await Behaviour(3).judge(scene, node()) is not None
    assert scene.ledger.spent.verifier == 0


async def test_two_verifiers_share_the_tests_that_the_core_writes(scene_of: SceneOf) -> None:
    scene = await scene_of(STUB, [Reply(WRITTEN)], {"python": says(error="", outcomes=["=a", "passed"])})
    for verifier in make(["behaviour", "self_tests"])[2:]:
        await verifier.judge(scene, node())
    assert isinstance(scene.core, ScriptedCore) and len(scene.core.asked) == 1


async def test_a_question_is_not_probed(scene_of: SceneOf) -> None:
    scene = await scene_of(Task("q", "How many?"))
    assert await Behaviour().judge(scene, node()) is None


CANDIDATES = {
    "2 * x": "def double(x):\n    return 2 * x\n",
    "x + x": "def double(x):\n    print('noise')\n    return x + x\n",
    "x * x": "def double(x):\n    return x * x\n",
    "raises": "def double(x):\n    raise ValueError\n",
    "exits": "import os\ndef double(x):\n    os._exit(0)\n",
    "hangs": "def double(x):\n    while True: pass\n",
    "broken": "def double(x:\n",
    "forges": "import sys\nsys.__stdout__.write('{}')\nraise SystemExit\n",
}


@pytest.mark.slow
async def test_real_candidates_are_told_apart_by_what_they_do() -> None:
    try:
        sandbox = await open_sandbox("bubblewrap")
    except SandboxError as error:
        pytest.skip(str(error))
    world = await sandbox.open({}, Limits())
    tree, found = Tree("t"), {}
    tree.plant([Step("task", "")], world.root)
    try:
        for name, code in CANDIDATES.items():
            at = await world.put(world.root, {"solution.py": code.encode()})
            scene = Scene(TASK, tree, None, world, sandbox, Toolbox.standard(), Limits(), Ledger())  # type: ignore[arg-type]
            verdict = await Behaviour(8).judge(scene, node(at))
            assert verdict is not None
            found[name] = verdict
            assert await world.get(at, ["solution.py"]), "the candidate's own snapshot is still there"
    finally:
        await world.close()
        await sandbox.close()
    assert found["2 * x"].key == found["x + x"].key != "" and found["2 * x"].score == 1.0
    assert found["x * x"].key not in ("", found["2 * x"].key)
    assert {name for name, v in found.items() if not v.key} == {"raises", "exits", "hangs", "broken", "forges"}
