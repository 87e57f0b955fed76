"""What the visible tests say of a solution: they are run in its world, unless it is known how that would end."""

from dataclasses import dataclass

from reasoner.errors import TaskError
from reasoner.ledger import Cost, Ledger
from reasoner.loop.known import Known
from reasoner.loop.writing import Growth
from reasoner.protocols import World
from reasoner.suites import beyond_help, report
from reasoner.toolbox import Toolbox
from reasoner.tree import Tree
from reasoner.types import Files, Limits, Report, SnapshotId, Task, ToolCall, ToolResult

_TESTS = "run_tests"


@dataclass(frozen=True)
class Testing:
    """The visible suite is bound to the toolbox's `run_tests`: nobody who calls it says what is tested."""

    __test__ = False
    task: Task
    world: World
    toolbox: Toolbox
    limits: Limits
    level: str
    known: Known

    async def before(self, at: SnapshotId, ledger: Ledger) -> Report | None:
        """See `Moves.before`."""
        if self.task.visible is None:
            return None
        result, _ = await self._run(ToolCall(_TESTS, {}), at, ledger)
        said = report(result, self.level)
        if problem := beyond_help(self.task, said):
            raise TaskError(f"task {self.task.id}: {problem}")
        return said

    async def say(self, tree: Tree, growth: Growth, files: Files) -> tuple[ToolCall | None, ToolResult]:
        """What the tests say of `files`, which are in the head's world, and the call that can be made again to hear it.
        Where it is known without a run, the ledger shows what that saved."""
        if (seen := self.known.of(tree, files)) and seen.result:
            growth.ledger.charge(self.known.saved(files))
            return seen.call, seen.result
        if result := await self._unparsed(growth, files):
            return None, result
        first = self.known.first()
        call = ToolCall(_TESTS, {"first": [*first]} if first else {})
        result, growth.world = await self._run(call, growth.world, growth.ledger)
        if any(test.name in first for test in report(result).failed):
            growth.ledger.charge(self.known.cut_short(result))
        return call, result

    async def _unparsed(self, growth: Growth, files: Files) -> ToolResult | None:
        """What the tests would say of a candidate that does not parse; None where it does."""
        ask = self.known.doubt(files)
        if ask is None:
            return None
        said, after = await self.toolbox.call(self.world, growth.world, ask, self.limits)
        growth.ledger.charge(Cost(tool_calls=1, tool_cpu_s=said.cpu_s))
        if after != growth.world:
            await self.world.release(after)
        if result := self.known.unparsed(said):
            growth.ledger.charge(self.known.saved(files))
        return result

    async def _run(self, call: ToolCall, at: SnapshotId, ledger: Ledger) -> tuple[ToolResult, SnapshotId]:
        """Run the visible tests at a snapshot, and charge them."""
        result, after = await self.toolbox.call(self.world, at, call, self.limits)
        ledger.charge(Cost(tool_calls=1, tool_cpu_s=result.cpu_s))
        return result, after
