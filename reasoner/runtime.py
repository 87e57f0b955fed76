"""The composition root and the only driver loop: ask the strategy for heads, grow them, add what finishes, stop.

A stop cancels what is in flight and charges it. Every event goes to the listeners as it happens, so a trace on disk is
good up to the last finished node whatever ends the process.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace

from reasoner.ledger import Budget, Ledger
from reasoner.loop import Loop, moves
from reasoner.protocols import Core, Sandbox, StopPolicy, Strategy, Verifier
from reasoner.stopping import BudgetSpent, FirstOf, Solved
from reasoner.suites import suite_arguments
from reasoner.toolbox import Toolbox
from reasoner.trace import Added, Began, Dropped, Event, Finished, Listener, Opened, Stopped
from reasoner.tree import Head, Node, Tree
from reasoner.types import Files, Json, Limits, NodeId, Report, Result, Status, Stop, Suite, Task
from reasoner.verifiers.answers import Answers, answer_of, compared
from reasoner.verifiers.suite import VisibleSuite

EXHAUSTED = "the strategy has nothing left to try"
ALREADY = "all visible tests pass as it is"
_TICK = 0.25
"""Seconds after which the stopping policy is asked again while nothing finishes: time and tokens run on."""


@dataclass
class Reasoner:
    """Everything that a search needs, put together once and used for many tasks.

    `width` is how many heads grow at once over one task; `limits` bound each run of the tests.
    """

    core: Core
    sandbox: Sandbox
    strategy: Strategy
    toolbox: Toolbox = field(default_factory=Toolbox.standard)
    verifiers: Sequence[Verifier] = (VisibleSuite(), Answers())
    stop: StopPolicy = FirstOf((Solved(), BudgetSpent()))
    budget: Budget = Budget()
    limits: Limits = Limits()
    width: int = 8
    seed: int = 0
    config: Json = field(default_factory=dict)
    """The resolved configuration, kept in every trace."""
    clock: Callable[[], float] = time.monotonic

    async def solve(self, task: Task, *listeners: Listener) -> Result:
        """Search until the stopping policy has a reason, then grade the answer in a fresh world.

        Raises:
            TaskError: the task cannot be put to a model, or its tests cannot run whatever is written.
            CoreError, SandboxError, ToolError, TraceError: our surroundings failed; it does not count as unsolved.
        """
        tell = _fan_out(listeners)
        ledger = Ledger(self.budget, clock=self.clock)
        world = await self.sandbox.open(task.files, self.limits)
        try:
            tools = self._tools(task)
            moving = moves(task, self.core, world, tools, self.limits, self.sandbox.level, tell)
            root = moving.root()
            tree = Tree(task.id, self.seed)
            tell(self._began(task))
            tell(Added(tree[tree.plant([root], world.root)]))
            loop = Loop(task, self.core, self.sandbox, world, tools, self.verifiers, self.limits, moving)
            before = await moving.before(world.root, ledger)
            solved = before is not None and before.solved
            stop = Stop(ALREADY) if solved else await self._search(loop, tree, ledger, tell)
            tell(Stopped(stop))
            answer = None if solved else self.strategy.answer(tree)
            files: Files | None = {} if solved else None
            if answer is not None:
                files = await world.get(tree[answer].world, task.editable)
        finally:
            await world.close()
        said = answer_of(tree[answer]) if answer is not None and task.is_question else ""
        result = await self._result(task, stop, answer, files, said, ledger)
        tell(Finished(result))
        return result

    async def _search(self, loop: Loop, tree: Tree, ledger: Ledger, tell: Listener) -> Stop:
        growing: dict[asyncio.Task[Node], tuple[Head, Ledger]] = {}
        try:
            while not (stop := self.stop.decide(tree, ledger)):
                for expand in self.strategy.select(tree, ledger, self.width - len(growing)):
                    head, branch = tree.opened(expand), ledger.nested()
                    tell(Opened(head))
                    growing[asyncio.create_task(loop.grow(tree, head, branch))] = (head, branch)
                if not growing:
                    return Stop(EXHAUSTED)
                done, _ = await asyncio.wait(growing, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=lambda t: growing[t][0].id):
                    node = task.result()
                    head, _ = growing.pop(task)
                    added = tree.add(head, node.steps, node.world, node.verdicts, node.cost)
                    tell(Added(tree[added], head.id))
            return stop
        finally:
            for task in growing:
                task.cancel()
            await asyncio.gather(*growing, return_exceptions=True)
            for head, branch in growing.values():
                tree.drop(head)
                tell(Dropped(head.id, "stopped", branch.spent))

    async def _result(
        self, task: Task, stop: Stop, answer: NodeId | None, files: Files | None, said: str, ledger: Ledger
    ) -> Result:
        report = await self._grade(task, files, task.visible)
        hidden = compared(said, task.answer) if task.is_question else await self._grade(task, files, task.hidden)
        decisive = report or hidden
        status: Status = "suspended" if ledger.exhausted else "unsolved"
        if decisive and decisive.solved:
            status = "solved"
        elif said and not decisive:
            status = "answered"
        return Result(
            task.id,
            status,
            stop,
            answer,
            files or {},
            report,
            asdict(ledger.spent),
            self.sandbox.level,
            self.core.info.name,
            hidden=hidden,
            answer=said,
        )

    async def _grade(self, task: Task, files: Files | None, suite: Suite | None) -> Report | None:
        """`files` are what is changed; None where there is no answer."""
        if suite is None or files is None:
            return None
        return await self.sandbox.grade({**task.files, **files}, suite, self.limits)

    def _tools(self, task: Task) -> Toolbox:
        if task.visible is None:
            return self.toolbox
        return self.toolbox.bind("run_tests", suite_arguments(task.visible, wall_s=self.limits.wall_s))

    def _began(self, task: Task) -> Began:
        core = self.core.info
        return Began(
            replace(task, hidden=None, answer=None),
            core.name,
            core.digest,
            self.sandbox.level,
            self.seed,
            dict(self.config),
        )


def _fan_out(listeners: Sequence[Listener]) -> Listener:
    def tell(event: Event) -> None:
        for listener in listeners:
            listener(event)

    return tell
