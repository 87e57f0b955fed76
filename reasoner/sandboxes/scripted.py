"""A sandbox in which no code ever runs: every answer comes from a function or a table. For tests and dry runs.

Files are kept in memory, snapshots are called s0, s1, … in the order in which they are made, and two worlds that are
asked the same things answer the same. It closes nothing off, because nothing is let in.
"""

from collections.abc import Callable, Mapping, Sequence

from reasoner.errors import SandboxError
from reasoner.types import Files, Json, Limits, Report, SnapshotId, Suite, Tool, ToolResult

Answer = Callable[[str, Json, Files], ToolResult]
"""(tool's name, arguments, files at the snapshot) -> what the tool says."""
Grader = Callable[[Files, Suite], Report]


class ScriptedSandbox:
    """Satisfies `Sandbox`. A table answers a tool by its name; a tool that is not in it is refused.

    Args:
        tools: what every call is answered with.
        grade: what a suite says about a candidate.
    """

    level = "scripted"

    def __init__(self, tools: Answer | Mapping[str, ToolResult] | None = None, grade: Grader | None = None) -> None:
        self._answer = tools if callable(tools) else _table(tools or {})
        self._grade = grade

    async def open(self, files: Files, limits: Limits) -> "ScriptedWorld":
        return ScriptedWorld(files, self._answer)

    async def grade(self, candidate: Files, suite: Suite, limits: Limits) -> Report:
        if self._grade is None:
            return Report(error="this scripted sandbox was given no grader", level=self.level)
        return self._grade(candidate, suite)

    async def close(self) -> None:
        pass


class ScriptedWorld:
    """Satisfies `World`. A call leaves the files as they were; only `put` changes them."""

    root: SnapshotId = "s0"

    def __init__(self, files: Files, answer: Answer) -> None:
        self._answer = answer
        self._files: dict[SnapshotId, dict[str, bytes]] = {self.root: dict(files)}
        self._made = 1

    async def put(self, at: SnapshotId, files: Files) -> SnapshotId:
        return self._keep({**self._at(at), **files})

    async def get(self, at: SnapshotId, paths: Sequence[str]) -> Files:
        held = self._at(at)
        return {path: held[path] for path in paths if path in held}

    async def run(self, at: SnapshotId, tool: Tool, arguments: Json, limits: Limits) -> tuple[ToolResult, SnapshotId]:
        held = self._at(at)
        result = self._answer(tool.name, arguments, dict(held))
        return result, self._keep(held)

    async def release(self, snapshot: SnapshotId) -> None:
        self._files.pop(snapshot, None)

    async def close(self) -> None:
        self._files.clear()

    def _at(self, snapshot: SnapshotId) -> dict[str, bytes]:
        if snapshot not in self._files:
            raise SandboxError(f"snapshot {snapshot} is not in this world: it was released or never made")
        return self._files[snapshot]

    def _keep(self, files: dict[str, bytes]) -> SnapshotId:
        snapshot = f"s{self._made}"
        self._made += 1
        self._files[snapshot] = files
        return snapshot


def _table(results: Mapping[str, ToolResult]) -> Answer:
    def answer(name: str, arguments: Json, files: Files) -> ToolResult:
        return results.get(name) or ToolResult(error="refused", detail=f"no answer was scripted for the tool {name}")

    return answer
