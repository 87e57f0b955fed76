"""Worlds of a recorded tree, made again in a fresh one: each when it is first asked for, by doing once more what the
steps on its path did, and compared with what was observed then.

Which strategy asks, and for which node, is not known here.
"""

import asyncio
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from reasoner.ledger import Cost, Ledger
from reasoner.loop.loop import Moves
from reasoner.protocols import World
from reasoner.suites import report
from reasoner.trace import Event, Redone
from reasoner.tree import Node, Tree
from reasoner.types import Files, Json, Limits, NodeId, SnapshotId, Step, Tool, ToolResult

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")


@dataclass
class Restored:
    """Satisfies `World` over `fresh`, in which `moves` work. The recorded nodes of `tree` get snapshots of its own kind
    (`n7`), which are made when somebody asks for them; snapshots made from now on are the fresh world's.

    What it costs is charged to `ledger`; every node that is done again is told, with what came out differently.
    """

    fresh: World
    tree: Tree
    moves: Moves
    ledger: Ledger
    tell: Callable[[Event], None]
    _recorded: dict[SnapshotId, NodeId] = field(default_factory=dict)
    _made: dict[NodeId, SnapshotId] = field(default_factory=dict)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Heads ask side by side; a node is done again once."""

    def __post_init__(self) -> None:
        for node in self.tree.nodes:
            name = f"n{node.id}"
            self._recorded[name] = node.id
            self.tree.nodes[node.id] = replace(node, world=name)
        if self.tree.nodes:
            self._made[self.tree.root] = self.fresh.root

    @property
    def root(self) -> SnapshotId:
        return self.fresh.root

    async def put(self, at: SnapshotId, files: Files) -> SnapshotId:
        return await self.fresh.put(await self._at(at), files)

    async def get(self, at: SnapshotId, paths: Sequence[str]) -> Files:
        return await self.fresh.get(await self._at(at), paths)

    async def run(self, at: SnapshotId, tool: Tool, arguments: Json, limits: Limits) -> tuple[ToolResult, SnapshotId]:
        return await self.fresh.run(await self._at(at), tool, arguments, limits)

    async def release(self, snapshot: SnapshotId) -> None:
        node = self._recorded.get(snapshot)
        if node is None:
            await self.fresh.release(snapshot)
        elif node in self._made and node != self.tree.root:
            await self.fresh.release(self._made.pop(node))

    async def close(self) -> None:
        await self.fresh.close()

    async def _at(self, snapshot: SnapshotId) -> SnapshotId:
        node = self._recorded.get(snapshot)
        if node is None:
            return snapshot
        async with self._one:
            for above in self.tree.path(node):
                if above.id not in self._made:
                    self._made[above.id] = await self._again(above)
            return self._made[node]

    async def _again(self, node: Node) -> SnapshotId:
        at = self._made[node.parent if node.parent is not None else self.tree.root]
        cost, differs = Cost(), []
        for step in node.steps:
            result, at = await self.moves.redo(step, at)
            if result:
                cost += Cost(tool_calls=1, tool_cpu_s=result.cpu_s)
                differs += _difference(step, result)
        self.ledger.charge(cost)
        self.tell(Redone(node.id, "; ".join(differs), cost))
        return at


def _difference(step: Step, now: ToolResult) -> list[str]:
    """What a call says now that it did not say then; times and addresses are no difference."""
    then, name = step.result, step.call.name if step.call else ""
    if then is None or _gist(name, then) == _gist(name, now):
        return []
    if name == "run_tests":
        before, after = report(then), report(now)
        return [f"{before.passed} of {before.counted} tests passed, {after.passed} of {after.counted} now"]
    if then.error != now.error:
        return [f"{name} ended with {then.error or 'no error'}, with {now.error or 'no error'} now"]
    return [f"{name} says something else now"]


def _gist(name: str, result: ToolResult) -> object:
    if name == "run_tests":
        said = report(result)
        return [(test.name, test.outcome) for test in said.tests] or bool(said.error)
    return result.error, _ADDRESS.sub("0x", result.output), _ADDRESS.sub("0x", repr(result.value))
