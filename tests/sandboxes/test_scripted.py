import pytest

from reasoner.errors import SandboxError
from reasoner.protocols import Sandbox, World
from reasoner.sandboxes.scripted import ScriptedSandbox
from reasoner.types import Limits, Report, Suite, TestResult, Tool, ToolResult

LIMITS = Limits()
PYTHON = Tool("python", "", "heap", {}, b"")


async def test_a_function_answers_from_name_arguments_and_files():
    def answer(name, arguments, files):
        return ToolResult(output=f"{name} {arguments['code']} {sorted(files)}")

    sandbox: Sandbox = ScriptedSandbox(answer)
    world: World = await sandbox.open({"a.py": b"1"}, LIMITS)
    result, _ = await world.run(world.root, PYTHON, {"code": "x"}, LIMITS)
    assert result.output == "python x ['a.py']"


async def test_a_tool_that_is_not_in_the_table_is_refused():
    world = await ScriptedSandbox({"run_tests": ToolResult(output="1 passed")}).open({}, LIMITS)
    result, _ = await world.run(world.root, PYTHON, {}, LIMITS)
    assert result.error == "refused"


async def test_snapshots_are_numbered_and_none_is_overwritten():
    world = await ScriptedSandbox({"python": ToolResult()}).open({"a": b"1"}, LIMITS)
    changed = await world.put("s0", {"a": b"2"})
    _, after = await world.run(changed, PYTHON, {}, LIMITS)
    assert (changed, after) == ("s1", "s2")
    assert await world.get("s0", ["a", "b"]) == {"a": b"1"}
    assert await world.get(after, ["a"]) == {"a": b"2"}


async def test_a_released_snapshot_is_gone():
    world = await ScriptedSandbox().open({}, LIMITS)
    await world.release("s0")
    with pytest.raises(SandboxError, match="s0"):
        await world.put("s0", {})


async def test_grade_asks_the_given_grader():
    def grade(candidate, suite):
        return Report(tests=(TestResult("t", "passed" if candidate else "failed"),))

    sandbox = ScriptedSandbox(grade=grade)
    assert (await sandbox.grade({"a": b""}, Suite("asserts"), LIMITS)).solved
    assert (await ScriptedSandbox().grade({}, Suite("asserts"), LIMITS)).error
