"""The tools that a model may call: their schemas, a check of every call's arguments, and the way into a world.

What a model gets wrong in a call (a name, a field, a type) is a refused `ToolResult` that it can read and mend; nothing
of it reaches the host's services or the world. How a world runs a tool, and what a service brings, is not known here.
"""

import difflib
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.exceptions import best_match
from referencing import Registry
from referencing.exceptions import Unresolvable

from reasoner.content import content_dir, load_tool
from reasoner.errors import TaskError, ToolError
from reasoner.protocols import World
from reasoner.types import Json, Limits, SnapshotId, Task, Tool, ToolCall, ToolResult

Service = Callable[[Json], Awaitable[Json | ToolResult]]
"""What the host does for a tool because no world can, such as fetching a page: arguments that fit the tool's schema ->
what its program finds in them besides, under the service's name, or why there is nothing (then it never runs)."""

_OWN = frozenset({"python", "run_tests"})
"""Tools that are not called by name: one has its own form, one needs a suite."""
_DETAIL = 300


class Toolbox:
    """Tools by name, in the order in which they are offered."""

    def __init__(
        self,
        tools: Iterable[Tool],
        *,
        bound: Mapping[str, Json] | None = None,
        services: Mapping[str, Service] | None = None,
    ) -> None:
        """`bound`: by tool, arguments that the runtime fills in and no model sees. `services`: what the host offers.

        Raises:
            ToolError: two tools share a name, a manifest's parameters are not a JSON Schema, or a tool wants a service
                that is not offered.
        """
        self._tools: dict[str, Tool] = {}
        self._bound, self._services = dict(bound or {}), dict(services or {})
        for tool in tools:
            if tool.name in self._tools:
                raise ToolError(f"two tools are called {tool.name!r}: rename one in its tool.toml")
            if tool.host and tool.host not in self._services:
                raise ToolError(
                    f"the tool {tool.name!r} wants {tool.host!r} of the host, which is not offered here: allow it, or "
                    "remove `host` from its tool.toml"
                )
            self._tools[tool.name] = tool
        if unknown := self._bound.keys() - self._tools.keys():
            raise ToolError(f"arguments are bound to {min(unknown)!r}, which is no tool: {self._known()}")
        self._shown = {name: _without(tool.parameters, self._bound.get(name, {})) for name, tool in self._tools.items()}
        self._checks = {name: _validator(name, schema) for name, schema in self._shown.items()}

    @classmethod
    def standard(cls, own: Iterable[Tool] = (), services: Mapping[str, Service] | None = None) -> "Toolbox":
        """The tools that are shipped, as far as their services are offered, then the user's `own`."""
        shipped = [tool for tool in load_tools(content_dir("tools")) if not tool.host or tool.host in (services or {})]
        return cls([*shipped, *own], services=services)

    def bind(self, name: str, arguments: Json) -> "Toolbox":
        """The same tools, with these arguments of one of them filled in and hidden from its schema."""
        return Toolbox(self._tools.values(), bound={**self._bound, name: arguments}, services=self._services)

    def adding(self, own: Iterable[Tool]) -> "Toolbox":
        """The same tools, and these after them. Raises ToolError as the constructor does."""
        return Toolbox([*self, *own], bound=self._bound, services=self._services)

    def offered(self, task: Task) -> "Toolbox":
        """The same tools, without those that are called by name and that `task` does not name. Raises TaskError as
        `must_have` does."""
        if task.tools is None:
            return self
        self.must_have(task)
        wanted = {*_OWN, *task.tools}
        bound = {name: arguments for name, arguments in self._bound.items() if name in wanted}
        return Toolbox((tool for tool in self if tool.name in wanted), bound=bound, services=self._services)

    def must_have(self, task: Task) -> None:
        """Raises TaskError where a task names a tool that is not here."""
        if unknown := sorted(set(task.tools or ()) - self._tools.keys() - _OWN):
            raise TaskError(f"the task {task.id}: {self._unknown(unknown[0])} (--tools and --allow-host bring others)")

    def __iter__(self) -> Iterator[Tool]:
        return iter(self._tools.values())

    def schemas(self) -> list[dict[str, Any]]:
        """In the form that OpenAI's API and chat templates take."""
        return [
            {"type": "function", "function": {"name": name, "description": tool.description, "parameters": shown}}
            for (name, tool), shown in zip(self._tools.items(), self._shown.values(), strict=True)
        ]

    def called(self) -> list[dict[str, Any]]:
        """Of these, the tools that are called by name."""
        return [schema for schema in self.schemas() if schema["function"]["name"] not in _OWN]

    async def call(
        self, world: World, at: SnapshotId, call: ToolCall, limits: Limits | None = None
    ) -> tuple[ToolResult, SnapshotId]:
        """Run a call at a snapshot, within `limits` or else the tool's own. A refused call leaves the snapshot.

        Raises:
            SandboxError: the world is lost.
            ToolError: the tool's schema refers to another that is not in it, or a service's disk refuses.
        """
        tool = self._tools.get(call.name)
        if tool is None:
            return _refused(self._unknown(call.name)), at
        if problem := self._problem(call):
            return _refused(problem), at
        arguments = {**call.arguments, **self._bound.get(call.name, {})}
        if tool.host:
            brought = await self._services[tool.host](arguments)
            if isinstance(brought, ToolResult):
                return brought, at
            arguments = {**arguments, tool.host: brought}
        return await world.run(at, tool, arguments, limits or tool.limits)

    def _unknown(self, name: str) -> str:
        near = difflib.get_close_matches(name, self._tools, n=1, cutoff=0.5)
        return f"there is no tool {name[:_DETAIL]!r}: " + (f"did you mean {near[0]!r}?" if near else self._known())

    def _known(self) -> str:
        return f"the tools are {', '.join(self._tools)}"

    def _problem(self, call: ToolCall) -> str:
        """What is wrong with the arguments, empty when nothing is."""
        try:
            error = best_match(self._checks[call.name].iter_errors(dict(call.arguments)))
        except Unresolvable as missing:
            raise ToolError(
                f"the parameters of the tool {call.name!r} refer to {missing.ref!r}: write it out"
            ) from missing
        except RecursionError:
            return f"the arguments of {call.name} are nested too deeply"
        if error is None:
            return ""
        field = f"{error.json_path.removeprefix('$.')}: " if error.path else ""
        return f"the arguments of {call.name} do not fit: {field}{_said(error)}"


def load_tools(folder: Path) -> list[Tool]:
    """The tool in `folder`, or else those in the folders right below it, by name.

    Raises:
        ToolError: there is none, or a manifest is broken; the message names its file and key.
    """
    own = folder / "tool.toml"
    manifests = [own] if own.is_file() else sorted(folder.glob("*/tool.toml"))
    if not manifests:
        raise ToolError(f"there is no tool in {folder}: a tool is a folder with a tool.toml and a run.py")
    tools = []
    for path in manifests:
        tool = load_tool(path.parent)
        if problem := _schema_problem(tool.parameters):
            raise ToolError(f"{path}: {problem}")
        tools.append(tool)
    return tools


def _said(error: ValidationError) -> str:
    """What is wrong, without the value where it could be long."""
    match error.validator, error.validator_value:
        case "type", wanted:
            return f"it must be of type {wanted}"
        case "enum", list(known):
            return f"it must be one of {', '.join(map(repr, known))}"
    return error.message


def _refused(detail: str) -> ToolResult:
    return ToolResult(error="refused", detail=detail if len(detail) <= _DETAIL else detail[: _DETAIL - 1] + "…")


def _without(schema: Json, bound: Json) -> dict[str, Any]:
    """The schema of what is left to say."""
    if not bound:
        return dict(schema)
    properties = {name: value for name, value in schema.get("properties", {}).items() if name not in bound}
    required = [name for name in schema.get("required", []) if name not in bound]
    return {**schema, "properties": properties, "required": required}


def _validator(name: str, schema: Json) -> Draft202012Validator:
    if problem := _schema_problem(schema):
        raise ToolError(f"the parameters of the tool {name!r} are not a JSON Schema: {problem}")
    return Draft202012Validator(dict(schema), registry=Registry())  # an empty registry: no reference is ever fetched


def _schema_problem(schema: Json) -> str:
    """Which key of a schema is wrong, and how; empty when none is."""
    try:
        Draft202012Validator.check_schema(dict(schema))
    except SchemaError as error:
        return f"{error.json_path.replace('$', 'parameters', 1)}: {error.message}"
    return ""
