"""What a model is offered, what is refused before it reaches a world, and how a call gets there."""

import pytest

from reasoner.errors import ToolError
from reasoner.suites import suite_arguments
from reasoner.toolbox import Toolbox
from reasoner.types import Limits, Suite, Tool, ToolCall, ToolResult


class Echo:
    """A world that answers with what it was asked to run."""

    root = "s0"

    async def run(self, at, tool, arguments, limits):
        return ToolResult(value={"tool": tool.name, "arguments": dict(arguments), "limits": limits}), at + "+"


def tool(name="grow", **properties):
    schema = {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}
    return Tool(name, "Grow a number.", "files", schema, b"", Limits(wall_s=3))


BOX = Toolbox([tool(by={"type": "integer", "minimum": 1}, how={"enum": ["fast", "slow"]}), tool("shrink")])
GOOD = {"by": 2, "how": "fast"}


async def call(box, name, arguments, limits=None):
    return await box.call(Echo(), "s0", ToolCall(name, arguments), limits)


async def test_a_good_call_runs_at_its_snapshot_under_the_tools_own_limits():
    result, after = await call(BOX, "grow", GOOD)
    assert result.value == {"tool": "grow", "arguments": GOOD, "limits": Limits(wall_s=3)}
    assert after == "s0+"


async def test_limits_of_the_caller_come_first():
    result, _ = await call(BOX, "grow", GOOD, Limits(wall_s=1))
    assert result.value["limits"] == Limits(wall_s=1)


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("grwo", GOOD, "there is no tool 'grwo': did you mean 'grow'?"),
        ("zzz", GOOD, "there is no tool 'zzz': the tools are grow, shrink"),
        ("grow", {"by": 2}, "'how' is a required property"),
        ("grow", {**GOOD, "by": "2"}, "by: it must be of type integer"),
        ("grow", {**GOOD, "by": ["x" * 9999]}, "by: it must be of type integer"),
        ("grow", {**GOOD, "by": 0}, "by: 0 is less than the minimum of 1"),
        ("grow", {**GOOD, "how": "up"}, "how: it must be one of 'fast', 'slow'"),
        ("grow", {**GOOD, "so": 1}, "('so' was unexpected)"),
    ],
)
async def test_a_call_that_does_not_fit_is_refused_and_leaves_the_snapshot(name, arguments, said):
    result, after = await call(BOX, name, arguments)
    assert result.error == "refused"
    assert said in result.detail
    assert len(result.detail) <= 300
    assert after == "s0"


def test_schemas_have_the_form_of_the_api():
    first, second = BOX.schemas()
    assert first["type"] == "function"
    assert first["function"]["name"] == "grow"
    assert first["function"]["parameters"]["required"] == ["by", "how"]
    assert second["function"]["description"] == "Grow a number."


async def test_bound_arguments_are_filled_in_and_cannot_be_seen_or_said():
    box = BOX.bind("grow", {"by": 7})
    assert list(box.schemas()[0]["function"]["parameters"]["properties"]) == ["how"]
    result, _ = await call(box, "grow", {"how": "slow"})
    assert result.value["arguments"] == {"how": "slow", "by": 7}
    result, _ = await call(box, "grow", GOOD)
    assert result.error == "refused"


async def test_the_standard_box_takes_a_suite():
    box = Toolbox.standard()
    assert [tool.name for tool in box] == ["python", "run_tests"]
    arguments = suite_arguments(Suite("asserts", asserts=("assert 1",)), wall_s=10)
    result, _ = await call(box, "run_tests", arguments)
    assert result.value["arguments"] == arguments
    assert box.bind("run_tests", arguments).schemas()[1]["function"]["parameters"]["properties"] == {}


def test_a_box_that_cannot_work_is_refused_when_it_is_made():
    with pytest.raises(ToolError, match="two tools are called 'shrink'"):
        Toolbox([tool("shrink"), tool("shrink")])
    with pytest.raises(ToolError, match="the parameters of the tool 'grow' are not a JSON Schema"):
        Toolbox([tool(by={"type": "number!"})])
    with pytest.raises(ToolError, match="arguments are bound to 'fly', which is no tool"):
        BOX.bind("fly", {})


async def test_a_schema_fetches_nothing():
    box = Toolbox([tool(by={"$ref": "http://127.0.0.1:9/schema.json"})])
    with pytest.raises(ToolError, match=r"refer to 'http://127\.0\.0\.1:9/schema\.json'"):
        await call(box, "grow", {"by": 1})
