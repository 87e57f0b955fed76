"""The moves of a task whose solution is files: write it, put it into the world, run the tests, read what they say."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

from reasoner.completions import Completion
from reasoner.dialect.driven import Driven
from reasoner.ledger import Ledger
from reasoner.loop.known import Known
from reasoner.loop.testing import Testing
from reasoner.loop.writing import Growth, Writer
from reasoner.protocols import World
from reasoner.suites import report
from reasoner.toolbox import Toolbox
from reasoner.trace import Entered
from reasoner.tree import Tree
from reasoner.types import Files, Kept, Limits, NodeId, Report, SnapshotId, Span, Step, Task, ToolResult

_THOUGHT = 160
"""Tokens that a plan may have."""


@dataclass(frozen=True)
class Coding:
    task: Task
    world: World
    toolbox: Toolbox
    writer: Writer
    limits: Limits
    level: str
    dialect: Driven = field(init=False)
    testing: Testing = field(init=False)

    def __post_init__(self) -> None:
        known = Known(self.task, self._written)
        testing = Testing(self.task, self.world, self.toolbox, self.limits, self.level, known)
        object.__setattr__(self, "testing", testing)
        object.__setattr__(self, "dialect", Driven(self.writer.core.tokenizer))

    def root(self) -> Step:
        return self.dialect.root(self.task)

    async def before(self, at: SnapshotId, ledger: Ledger) -> Report | None:
        return await self.testing.before(at, ledger)

    async def make(self, tree: Tree, growth: Growth) -> None:
        expand = growth.head.expand
        at_task, last = tree[expand.node].step("act") is None, tree[expand.node].steps[-1].kind
        match expand.move:
            case "attempt":
                await self._attempt(tree, growth)
            case "continue" if at_task:
                await self._attempt(tree, growth)
            case "continue" | "revise":
                await self._act(tree, growth, [self.dialect.revise(self.task, last)])
            case "reflect" | "criticise" as kind:
                await self.writer.remark(growth, kind, self.dialect.asking(kind, last), self.dialect.turns)

    async def redo(self, step: Step, at: SnapshotId) -> tuple[ToolResult | None, SnapshotId]:
        if step.kind == "act":
            files = self._written(step.text)
            return None, await self.world.put(at, files) if files else at
        if step.call is None:
            return None, at
        return await self.toolbox.call(self.world, at, step.call, self.limits)

    def _written(self, text: str) -> Files:
        return self.dialect.solution(self.task, text).files

    async def _attempt(self, tree: Tree, growth: Growth) -> None:
        expand = growth.head.expand
        if expand.kept:
            await self._rewind(tree, expand.kept, growth)
            return
        learnt = self._lesson(tree, expand.learnt) if expand.learnt is not None else ""
        thought = None
        if expand.think:
            sampling = replace(expand.sampling, max_tokens=_THOUGHT, stop=("```",))
            plan = await self.writer.write(growth, "think", [self.dialect.thinking(learnt)], sampling)
            thought = plan.text
        lead = self.dialect.lead(self.task) if expand.lead else ""
        await self._act(tree, growth, [self.dialect.attempt(self.task, learnt, thought, lead)], lead)

    async def _rewind(self, tree: Tree, kept: Kept, growth: Growth) -> None:
        """Take over how another attempt began, its plan included, and go on from the token after."""
        source = tree[kept.node]
        before = list(takewhile(lambda step: step.kind != "act", source.steps))
        for step in before:
            growth.take(step)
        opening, taken, begun = self.dialect.kept(source.steps[len(before)], kept.tokens)
        await self._act(tree, growth, [opening, taken], begun)

    async def _act(self, tree: Tree, growth: Growth, openings: Sequence[Span], begun: str = "") -> None:
        """Write a solution, put it into the world, run the visible tests, read what they say. `begun` is the part of
        the file that the openings hold already."""
        expand = growth.head.expand
        sampling = replace(expand.sampling, stop=(*expand.sampling.stop, *self.dialect.code_stops(self.task)))
        if expand.terse:
            sampling = replace(sampling, never=(*sampling.never, *self.dialect.remarks()))
        completion = await self.writer.write(growth, "act", openings, sampling, begun)
        solution = self.dialect.solution(self.task, begun + completion.text)
        if solution.files:
            growth.world = await self.world.put(growth.world, solution.files)
        if solution.problems:
            growth.take(self.dialect.malformed(solution.problems, completion))
        elif self.task.visible is None:
            growth.take(Step("answer", "", (self.dialect.turns.again(completion),)))
        else:
            await self._observe(tree, growth, completion, solution.files)

    async def _observe(self, tree: Tree, growth: Growth, completion: Completion, files: Files) -> None:
        self.writer.tell(Entered(growth.head.id, "observe"))
        call, result = await self.testing.say(tree, growth, files)
        step = self.dialect.observe(report(result, self.level), completion)
        growth.take(replace(step, call=call, result=result))

    def _lesson(self, tree: Tree, dead: NodeId) -> str:
        """What a fresh attempt takes along from a dead branch: the failing assertion and the reflection, if any."""
        steps = [step for node in tree.path(dead) for step in node.steps]
        reflection = next((s.text for s in reversed(steps) if s.kind == "reflect"), "")
        observed = next((s.result for s in reversed(steps) if s.kind == "observe" and s.result), None)
        return self.dialect.lesson(report(observed, self.level) if observed else None, reflection)
