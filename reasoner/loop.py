"""One step of think-act-reflect for one head: complete, run tools, judge, all in one coroutine that reads downward.

The loop knows a core, a world and a dialect, and no strategy: which head grows, and how, comes in as an `Expand`.
Whatever the model or its code does wrong ends as a step of the node; only our own surroundings raise.
"""

from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from itertools import takewhile

from reasoner.dialect.driven import Driven, written
from reasoner.errors import CoreError, TaskError
from reasoner.ledger import Cost, Ledger
from reasoner.protocols import Core, Verifier, World
from reasoner.suites import beyond_help, report
from reasoner.toolbox import Toolbox
from reasoner.trace import Entered, Event, Wrote
from reasoner.tree import Head, Node, Tree
from reasoner.types import (
    Completion,
    Limits,
    NodeId,
    Piece,
    Report,
    Sampling,
    SnapshotId,
    Span,
    Step,
    StepKind,
    Task,
    ToolCall,
    ToolResult,
    Usage,
)

_TESTS = ToolCall("run_tests", {})
_THOUGHT = 160
_REFLECTION = 80
"""Tokens that a plan and a reflection may have."""


@dataclass
class Growth:
    """A head while it grows: all its tokens from the root, its own steps, its world, and its own ledger."""

    head: Head
    ids: list[int]
    world: SnapshotId
    ledger: Ledger
    steps: list[Step] = field(default_factory=list)

    def take(self, step: Step) -> None:
        self.steps.append(step)
        self.ids += step.ids


@dataclass(frozen=True)
class Loop:
    """Grows heads of one task's tree. Costs are charged as they arise, also when a head is cancelled half-way.

    The visible suite is bound to the toolbox's `run_tests`: nobody who calls it says what is tested.
    """

    task: Task
    core: Core
    world: World
    toolbox: Toolbox
    dialect: Driven
    verifiers: Sequence[Verifier]
    limits: Limits
    level: str
    tell: Callable[[Event], None]

    async def before(self, ledger: Ledger) -> Report | None:
        """What the visible tests say of the files as they are; None where there are no such tests.

        Raises:
            TaskError: they cannot run, whatever is written.
        """
        if self.task.visible is None:
            return None
        result, _ = await self._test(self.world.root, ledger)
        said = report(result, self.level)
        if problem := beyond_help(self.task, said):
            raise TaskError(f"task {self.task.id}: {problem}")
        return said

    async def grow(self, tree: Tree, head: Head, ledger: Ledger) -> Node:
        """One move of `head`, judged: a node that is ready to be added. Raises `CoreError`, `SandboxError`."""
        expand = head.expand
        at = tree[expand.node]
        growth = Growth(head, tree.ids(at.id), at.world, ledger)
        match expand.move:
            case "attempt":
                await self._attempt(tree, growth)
            case "revise":
                await self._act(growth, [self.dialect.revise(self.task)])
            case "reflect":
                await self._reflect(growth)
        node = Node(-1, at.id, expand.move, tuple(growth.steps), growth.world, learnt=expand.learnt)
        verdicts = [await verifier.judge(self.task, tree, node) for verifier in self.verifiers]
        return replace(node, verdicts=tuple(v for v in verdicts if v), cost=ledger.spent)

    async def _attempt(self, tree: Tree, growth: Growth) -> None:
        expand = growth.head.expand
        if expand.kept:
            await self._rewind(tree[expand.kept.node], expand.kept.tokens, growth)
            return
        learnt = self._lesson(tree, expand.learnt) if expand.learnt is not None else ""
        thought = None
        if expand.think:
            sampling = replace(expand.sampling, max_tokens=_THOUGHT, stop=("```",))
            plan = await self._write(growth, "think", [self.dialect.thinking(learnt)], sampling)
            thought = plan.text
        lead = self.dialect.lead(self.task) if expand.lead else ""
        await self._act(growth, [self.dialect.attempt(self.task, learnt, thought, lead)], lead)

    async def _rewind(self, source: Node, tokens: int, growth: Growth) -> None:
        """Take over how another attempt began, its plan included, and go on from the token after."""
        before = list(takewhile(lambda step: step.kind != "act", source.steps))
        for step in before:
            growth.take(step)
        opening, kept, begun = self.dialect.kept(source.steps[len(before)], tokens)
        await self._act(growth, [opening, kept], begun)

    async def _act(self, growth: Growth, openings: Sequence[Span], begun: str = "") -> None:
        """Write a solution, put it into the world, run the visible tests, read what they say. `begun` is the part of
        the file that the openings hold already."""
        sampling = growth.head.expand.sampling
        sampling = replace(sampling, stop=(*sampling.stop, *self.dialect.code_stops(self.task)))
        completion = await self._write(growth, "act", openings, sampling, begun)
        solution = self.dialect.solution(self.task, begun + completion.text)
        if solution.files:
            growth.world = await self.world.put(growth.world, solution.files)
        if solution.problems:
            growth.take(self.dialect.malformed(solution.problems, completion))
        elif self.task.visible is None:
            growth.take(Step("answer", "", (self.dialect.again(completion),)))
        else:
            await self._observe(growth, completion)

    async def _observe(self, growth: Growth, completion: Completion) -> None:
        self.tell(Entered(growth.head.id, "observe"))
        result, growth.world = await self._test(growth.world, growth.ledger)
        step = self.dialect.observe(report(result, self.level), completion)
        growth.take(replace(step, call=_TESTS, result=result))

    async def _test(self, at: SnapshotId, ledger: Ledger) -> tuple[ToolResult, SnapshotId]:
        """Run the visible tests at a snapshot, and charge them."""
        result, after = await self.toolbox.call(self.world, at, _TESTS, self.limits)
        ledger.charge(Cost(tool_calls=1, tool_cpu_s=result.cpu_s))
        return result, after

    async def _reflect(self, growth: Growth) -> None:
        sampling = replace(growth.head.expand.sampling, max_tokens=_REFLECTION, stop=("\n\n", "```"))
        completion = await self._write(growth, "reflect", [self.dialect.reflecting()], sampling)
        step = growth.steps[-1]
        growth.steps[-1] = replace(step, spans=(*step.spans, self.dialect.again(completion)))

    async def _write(
        self, growth: Growth, kind: StepKind, openings: Sequence[Span], sampling: Sampling, begun: str = ""
    ) -> Completion:
        """Force the openings, let the core write after them, and take all as one step."""
        forced = [i for span in openings for i in span.ids]
        self.tell(Entered(growth.head.id, kind))
        sampling = replace(
            sampling,
            seed=growth.head.seed + len(growth.steps),
            stop_ids=(*sampling.stop_ids, *self.core.tokenizer.ends),
        )
        completion = await self._stream(growth, [*growth.ids, *forced], sampling)
        growth.take(written(kind, openings, completion, begun))
        return completion

    async def _stream(self, growth: Growth, prefix: Sequence[int], sampling: Sampling) -> Completion:
        """Sample after `prefix` and charge every token as it comes. What goes round in circles is cut off there."""
        so_far = Completion((), "", "length")
        async with aclosing(self.core.stream(prefix, sampling)) as pieces:
            async for piece in pieces:
                growth.ledger.charge(_between(so_far.usage, piece.usage))
                self.tell(Wrote(growth.head.id, piece.text, len(piece.ids)))
                if piece.done:
                    return piece.done
                so_far = _joined(so_far, piece)
                if circles(so_far.ids):
                    return so_far
        raise CoreError(f"{self.core.info.name} ended its stream without a completion: report this core")

    def _lesson(self, tree: Tree, dead: NodeId) -> str:
        """What a fresh attempt takes along from a dead branch: the failing assertion and the reflection, if any."""
        steps = [step for node in tree.path(dead) for step in node.steps]
        reflection = next((s.text for s in reversed(steps) if s.kind == "reflect"), "")
        observed = next((s.result for s in reversed(steps) if s.kind == "observe" and s.result), None)
        return self.dialect.lesson(report(observed, self.level) if observed else None, reflection)


def circles(ids: Sequence[int]) -> bool:
    """Whether the last tokens are one short run over and over: small cores get caught in such loops and never leave."""
    if len(ids) % _CIRCLE_EVERY:
        return False
    tail = ids[-_CIRCLE:]
    if len(tail) < _CIRCLE:
        return False
    return any(tail[period:] == tail[:-period] for period in range(1, _CIRCLE // 4 + 1))


_CIRCLE = 160
"""Tokens that must be one run of at most a quarter as many, four times or more,"""
_CIRCLE_EVERY = 16
"""looked at after so many tokens."""


def _between(before: Usage, after: Usage) -> Cost:
    return Cost(
        prefilled=after.prefilled - before.prefilled,
        cached=after.cached - before.cached,
        decoded=after.decoded - before.decoded,
    )


def _joined(so_far: Completion, piece: Piece) -> Completion:
    known = len(so_far.logprobs) == len(so_far.ids)
    return Completion(
        so_far.ids + piece.ids,
        so_far.text + piece.text,
        "length",
        so_far.logprobs + piece.logprobs if known else (),
        piece.usage,
    )
