"""Worlds that are known from a record, made again in a fresh one: each when it is first asked for, by doing once more
what was done then, and compared with what was observed.

Which strategy asks, and for which node, is not known here.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from reasoner.ledger import Cost, Ledger
from reasoner.loop.loop import Moves
from reasoner.protocols import World
from reasoner.suites import report
from reasoner.trace import Event, Redone
from reasoner.tree import Tree
from reasoner.types import Files, Json, Limits, SnapshotId, Step, Tool, ToolResult

_ADDRESS = re.compile(r"\b0x[0-9a-f]{6,}\b")

Redo = Callable[[Step, SnapshotId], Awaitable[tuple[ToolResult | None, SnapshotId]]]
Told = Callable[[SnapshotId, str, Cost], None]
"""(which, what came out differently, what it cost)."""


@dataclass(frozen=True)
class Recipe:
    """How a snapshot is made: `files` written into `base`, then what `steps` did. One that does nothing is `base` under
    another name."""

    base: SnapshotId
    steps: Sequence[Step] = ()
    files: Files = field(default_factory=dict)

    @property
    def does_nothing(self) -> bool:
        return not self.steps and not self.files


@dataclass
class Restored:
    """Satisfies `World` over `fresh`. Snapshots that were promised are made, with all below them, when somebody asks
    for them; all others are the fresh world's own. `told` hears of each that was made."""

    fresh: World
    redo: Redo
    told: Told
    _recipes: dict[SnapshotId, Recipe] = field(default_factory=dict)
    _made: dict[SnapshotId, SnapshotId] = field(default_factory=dict)
    _one: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Heads ask side by side; a snapshot is made once."""

    def promise(self, name: SnapshotId, recipe: Recipe) -> SnapshotId:
        """Say how the snapshot `name` will be made; its base was promised before, or is there."""
        self._recipes[name] = recipe
        return name

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
        recipe = self._recipes.get(snapshot)
        if recipe is None:
            await self.fresh.release(snapshot)
        elif snapshot in self._made and not recipe.does_nothing:
            gone = self._made[snapshot]
            self._made = {name: made for name, made in self._made.items() if made != gone}
            await self.fresh.release(gone)

    async def close(self) -> None:
        await self.fresh.close()

    async def _at(self, snapshot: SnapshotId) -> SnapshotId:
        if snapshot not in self._recipes:
            return snapshot
        async with self._one:
            missing = []
            while snapshot in self._recipes and snapshot not in self._made:
                missing.append(snapshot)
                snapshot = self._recipes[snapshot].base
            at = self._made.get(snapshot, snapshot)
            for name in reversed(missing):
                at = self._made[name] = await self._follow(name, at)
            return at

    async def _follow(self, name: SnapshotId, at: SnapshotId) -> SnapshotId:
        recipe = self._recipes[name]
        cost, differs = Cost(), []
        if recipe.files:
            at = await self.fresh.put(at, recipe.files)
        for step in recipe.steps:
            result, at = await self.redo(step, at)
            if result:
                cost += Cost(tool_calls=1, tool_cpu_s=result.cpu_s)
                differs += _difference(step, result)
        if recipe.steps:
            self.told(name, "; ".join(differs), cost)
        return at


def restored(fresh: World, tree: Tree, moves: Moves, ledger: Ledger, tell: Callable[[Event], None]) -> Restored:
    """A world in which the nodes of a recorded tree get snapshots (`n7`) that `moves` make again in `fresh`. What that
    costs is charged to `ledger`, and every node that is done again is told."""

    def told(name: SnapshotId, differs: str, cost: Cost) -> None:
        ledger.charge(cost)
        tell(Redone(int(name.removeprefix("n")), differs, cost))

    world = Restored(fresh, moves.redo, told)
    promise(world, tree, fresh.root, "n")
    return world


def promise(world: Restored, tree: Tree, root: SnapshotId, mark: str, files: Mapping[str, bytes] | None = None) -> None:
    """Give the nodes of a recorded tree snapshots named `mark` and their number: the root's is `root` with `files`,
    every other is made from its parent's."""
    for node in tree.nodes:
        recipe = Recipe(root, (), files or {}) if node.parent is None else Recipe(f"{mark}{node.parent}", node.steps)
        tree.nodes[node.id] = replace(node, world=world.promise(f"{mark}{node.id}", recipe))


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
