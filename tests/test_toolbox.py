"""What a model is offered, what is refused before it reaches a world, and how a call gets there."""

import pytest

from reasoner.errors import TaskError, ToolError
from reasoner.suites import suite_arguments
from reasoner.toolbox import Toolbox, load_tools
from reasoner.types import Limits, Suite, Task, Tool, ToolCall, ToolResult


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


def test_a_task_is_offered_the_tools_that_it_names():
    box = Toolbox.standard([tool("grow", by={"type": "integer"}), tool("shrink")]).bind("grow", {"by": 7})
    names = [schema["function"]["name"] for schema in box.offered(Task("t", "?")).called()]
    assert names == ["grow", "shrink"]
    assert [tool.name for tool in box.offered(Task("t", "?", tools=("python", "shrink")))] == [
        "python",
        "run_tests",
        "shrink",
    ]
    assert box.offered(Task("t", "?", tools=())).called() == []
    with pytest.raises(TaskError, match="the task t: there is no tool 'shrank': did you mean 'shrink'"):
        box.offered(Task("t", "?", tools=("shrank",)))


async def test_the_standard_box_takes_a_suite():
    box = Toolbox.standard()
    assert [tool.name for tool in box] == ["python", "run_tests"]
    arguments = suite_arguments(Suite("asserts", asserts=("assert 1",)), wall_s=10)
    result, _ = await call(box, "run_tests", arguments)
    assert result.value["arguments"] == arguments
    shown = box.bind("run_tests", arguments).schemas()[1]["function"]["parameters"]["properties"]
    assert [*shown] == ["first"], "nothing of the suite"


# --- what the host does for a tool ---


async def brings(arguments):
    """A service that turns a name into bytes, and knows none that begins with x."""
    if arguments["name"].startswith("x"):
        return ToolResult(error="refused", detail="it begins with x")
    return {"body": arguments["name"] * 2}


def hosted(host="brings"):
    schema = {"type": "object", "properties": {"name": {"type": "string"}}}
    return Tool("bring", "Bring it.", "files", schema, b"", host=host)


async def test_a_program_finds_what_the_host_brought_beside_its_arguments():
    box = Toolbox([hosted()], services={"brings": brings})
    result, after = await call(box, "bring", {"name": "a"})
    assert result.value["arguments"] == {"name": "a", "brings": {"body": "aa"}}
    assert after == "s0+"


async def test_no_argument_passes_for_what_the_host_brought():
    box = Toolbox([hosted()], services={"brings": brings})
    result, _ = await call(box, "bring", {"name": "a", "brings": {"body": "forged"}})
    assert result.value["arguments"]["brings"] == {"body": "aa"}


async def test_what_the_host_refuses_never_reaches_the_world():
    box = Toolbox([hosted()], services={"brings": brings}).bind("bring", {"name": "x"})
    assert await call(box, "bring", {}) == (ToolResult(error="refused", detail="it begins with x"), "s0")


async def test_the_host_sees_no_arguments_that_do_not_fit():
    box = Toolbox([hosted()], services={"brings": brings})
    result, _ = await call(box, "bring", {"name": 5})
    assert "name: it must be of type string" in result.detail


def test_a_tool_is_offered_only_with_its_service():
    with pytest.raises(ToolError, match="the tool 'bring' wants 'brings' of the host, which is not offered here"):
        Toolbox([hosted()])
    assert [tool.name for tool in Toolbox.standard(services={"fetch": brings})] == ["fetch", "python", "run_tests"]
    assert "fetch" not in [tool.name for tool in Toolbox.standard()]


# --- the user's own tools ---

MANIFEST = """
name = "NAME"
description = "Count."
state = "files"
[parameters]
type = "object"
properties = { word = { type = "string" } }
"""


def write(folder, name="count", manifest=MANIFEST):
    folder.mkdir(parents=True)
    (folder / "tool.toml").write_text(manifest.replace("NAME", name))
    (folder / "run.py").write_text("print(1)\n")


def test_a_folder_is_a_tool_or_holds_tools(tmp_path):
    write(tmp_path / "b", "second")
    write(tmp_path / "a", "first")
    (tmp_path / "README.md").write_text("mine")
    assert [tool.name for tool in load_tools(tmp_path)] == ["first", "second"]
    assert [tool.name for tool in load_tools(tmp_path / "b")] == ["second"]
    box = Toolbox.standard(load_tools(tmp_path))
    assert [tool.name for tool in box] == ["python", "run_tests", "first", "second"]


@pytest.mark.parametrize("name", ["missing", "empty"])
def test_a_folder_without_tools_is_an_error(tmp_path, name):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ToolError, match=f"there is no tool in .*{name}: a tool is a folder with a tool.toml"):
        load_tools(tmp_path / name)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"string"', '"text"', "parameters.properties.word.type: 'text' is not valid"),
        ('{ type = "string" }', "5", "parameters.properties.word: 5 is not of type"),
        ('type = "object"', 'type = "object"\nrequired = "word"', "parameters.required: 'word' is not of type 'array'"),
        ('"string"', '"string", pattern = "("', "parameters.properties.word.pattern: '(' is not a 'regex'"),
    ],
)
def test_a_broken_schema_is_one_sentence_with_file_and_key(tmp_path, old, new, said):
    write(tmp_path / "count", manifest=MANIFEST.replace(old, new))
    with pytest.raises(ToolError) as caught:
        load_tools(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}/count/tool.toml: {said}")
    assert "\n" not in str(caught.value)


async def test_arguments_that_nest_without_end_are_refused():
    deep = {}
    for _ in range(5000):
        deep = {"in": deep}
    schema = {"type": "object", "properties": {"in": {"$ref": "#"}}}
    result, after = await call(Toolbox([Tool("deep", "", "files", schema, b"")]), "deep", deep)
    assert (result.error, result.detail, after) == ("refused", "the arguments of deep are nested too deeply", "s0")


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
