"""The composition root and the only driver loop: ask the strategy for heads, grow them, add what finishes, stop.

A stop cancels what is in flight and charges it. Every event goes to the listeners as it happens, so a trace on disk is
good up to the last finished node whatever ends the process, and a recorded search goes on from there.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

from reasoner.config import SpeechConfig
from reasoner.errors import TaskError, TraceError
from reasoner.ledger import Budget, Ledger, Prices, affordable
from reasoner.loop import Loop, Moves, moves, restored, speaks
from reasoner.protocols import Core, Sandbox, StopPolicy, Strategy, Verifier, World
from reasoner.sandboxes.remembered import Remembered
from reasoner.search.following import Following
from reasoner.stopping import BudgetSpent, FirstOf, Solved, stays
from reasoner.suites import suite_arguments
from reasoner.toolbox import Toolbox
from reasoner.trace import (
    Added,
    Began,
    Checked,
    Dropped,
    Event,
    Finished,
    Grew,
    Listener,
    Opened,
    Resumed,
    Stopped,
    Trace,
    Wrote,
)
from reasoner.tree import Head, Node, Tree
from reasoner.types import Files, Json, Kind, Limits, NodeId, Report, Result, Status, Step, Stop, Suite, Task
from reasoner.verifiers.answers import Answers, answer_of, graded
from reasoner.verifiers.suite import VisibleSuite

EXHAUSTED = "the strategy has nothing left to try"
ALREADY = "all visible tests pass as it is"
_ROOM = 64
"""Tokens of the context that a task has to leave for an answer."""
_TICK = 0.25
"""Seconds after which the stopping policy is asked again while nothing finishes: time and tokens run on."""
_PULSE_S = 5.0
"""Seconds between two accounts of the heads in flight: what a kill can make forgotten."""


@dataclass
class Reasoner:
    """Everything that a search needs, put together once and used for many tasks.

    `width` is how many heads grow at once over one task, at most: none is begun beside others that the tokens left
    would not take to its end. `limits` bound each run of the tests.
    """

    core: Core
    sandbox: Sandbox
    strategy: Strategy | Mapping[Kind, Strategy]
    """One for every task, or one for each kind of task."""
    toolbox: Toolbox = field(default_factory=Toolbox.standard)
    verifiers: Sequence[Verifier] = (VisibleSuite(), Answers())
    stop: StopPolicy | Mapping[Kind, StopPolicy] = FirstOf((Solved(), BudgetSpent()))
    """One for every task, or one for each kind of task."""
    sure: Callable[[Tree, NodeId], float | None] = stays
    """How sure an answer is where what ended the search does not say; None where nothing does."""
    budget: Budget = Budget()
    prices: Prices = Prices()
    limits: Limits = Limits()
    speech: SpeechConfig = SpeechConfig()
    """How a core that owns the protocol is listened to."""
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
        return await self._work(task, None, listeners)

    async def resume(self, task: Task, past: Trace, *listeners: Listener) -> Result:
        """Go on with a recorded search of `task` that was suspended or broken off, within `budget`, which counts what
        was spent before. Heads that were in flight are grown again, as themselves; worlds are made again when they
        are needed. The listeners hear of what is new alone.

        Raises:
            TraceError: the search was of another task or another core, or its events do not make a tree.
            And what `solve` raises.
        """
        began = past.began
        if began.digest != self.core.info.digest:
            raise TraceError(
                f"this search was begun by {began.core} ({began.digest[:12]}), and cannot go on with "
                f"{self.core.info.name} ({self.core.info.digest[:12]}): use the same model, or solve the task anew"
            )
        if _shown(task) != began.task:
            raise TraceError(f"the task {task.id} is not the one that was recorded: go on with the recorded one")
        return await self._work(task, past, listeners)

    def policy(self, kind: Kind) -> StopPolicy:
        """What ends a search for a task of this kind."""
        return self.stop[kind] if isinstance(self.stop, Mapping) else self.stop

    async def search(
        self, task: Task, tree: Tree, world: World, ledger: Ledger, *listeners: Listener, past: Trace | None = None
    ) -> Result:
        """Search for `task` on `tree`, in a world that the caller opened and closes: what `solve`, `resume` and a turn
        of a conversation have in common. A tree that has a root already is searched from there; `past` is how it came
        to be as it is.

        Raises:
            What `solve` raises.
        """
        tell = _Pulse(listeners, self.clock)
        return await self._conclude(task, await self._find(task, tree, world, ledger, tell, past), ledger, tell)

    async def _work(self, task: Task, past: Trace | None, listeners: Sequence[Listener]) -> Result:
        tell = _Pulse(listeners, self.clock)
        tree = past.tree() if past else Tree(task.id, self.seed)
        ledger = Ledger(self.budget, clock=self.clock, carried=past.spent if past else None, prices=self.prices)
        world: World = await self.sandbox.open(task.files, self.limits)
        try:
            if past:
                world = restored(world, tree, self._moves(task, world, self._tools(task), tell), ledger, tell)
            found = await self._find(task, tree, world, ledger, tell, past)
        finally:
            await world.close()
        return await self._conclude(task, found, ledger, tell)

    async def _find(
        self, task: Task, tree: Tree, world: World, ledger: Ledger, tell: "_Pulse", past: Trace | None
    ) -> "_Found":
        tools = self._tools(task)
        moving = self._moves(task, world, tools, tell)
        root = None if len(tree) else self._fitting(task, moving.root())
        self._begin(task, past, tell)
        if root:
            tree.plant([root], world.root)
        if root or past is None:
            tell(Added(tree[tree.root]))
        sandbox = Remembered(self.sandbox)
        loop = Loop(task, self.core, sandbox, world, tools, self.verifiers, self.limits, moving)
        before = await self._before(past, moving, world, ledger, tell)
        solved = before is not None and before.solved
        heads = past.unfinished if past else []
        strategy = self._strategy(task)
        policy = self.policy(task.kind)
        stop = Stop(ALREADY) if solved else await self._search(loop, strategy, policy, tree, ledger, tell, heads)
        answer = None if solved else strategy.answer(tree)
        if answer is not None and stop.confidence is None:
            stop = replace(stop, confidence=self.sure(tree, answer))
        tell(Stopped(stop))
        files: Files | None = {p: task.files[p] for p in task.editable if p in task.files} if solved else None
        if answer is not None:
            files = await world.get(tree[answer].world, task.editable) if task.editable else {}
        said = answer_of(tree[answer]) if answer is not None and task.is_question else ""
        return _Found(stop, answer, files, said, sandbox)

    def _fitting(self, task: Task, root: Step) -> Step:
        """The task as the core reads it. Raises TaskError when no room is left for an answer."""
        context = self.core.info.context
        if len(root.ids) + _ROOM > context:
            raise TaskError(
                f"task {task.id}: its prompt has {len(root.ids):,} tokens, and {self.core.info.name} reads {context:,} "
                "with its answer: shorten it, or take a model that reads more"
            )
        return root

    async def _conclude(self, task: Task, found: "_Found", ledger: Ledger, tell: Listener) -> Result:
        result = await self._result(task, found, ledger)
        tell(Finished(result))
        return result

    def _begin(self, task: Task, past: Trace | None, tell: Listener) -> None:
        if past is None:
            tell(self._began(task))
            return
        tell(Resumed(self.budget, self.sandbox.level))
        for head, cost in past.lost.items():
            tell(Dropped(head, "killed", cost))

    async def _before(
        self, past: Trace | None, moving: Moves, world: World, ledger: Ledger, tell: Listener
    ) -> Report | None:
        """What the visible tests say of the files as they are, from the record where it stands there."""
        if past and past.checked:
            return past.checked
        own = ledger.nested()
        said = await moving.before(world.root, own)
        if said is not None:
            tell(Checked(said, own.spent))
        return said

    async def _search(
        self,
        loop: Loop,
        strategy: Strategy,
        policy: StopPolicy,
        tree: Tree,
        ledger: Ledger,
        tell: "_Pulse",
        heads: list[Head],
    ) -> Stop:
        """`heads` were dropped before their end, and are grown first."""
        growing: dict[asyncio.Task[Node], Head] = {}
        for head in heads:
            tree.reopened(head)
        try:
            while not (stop := policy.decide(tree, ledger)):
                most = affordable(self.width, ledger, tell.branches.values(), len(tree.nodes) - 1)
                free = max(0, most - len(growing) - len(heads))
                heads += [tree.opened(expand) for expand in strategy.select(tree, ledger, free)]
                for head in heads:
                    tell.open(head, ledger.nested())
                    growing[asyncio.create_task(loop.grow(tree, head, tell.branches[head.id]))] = head
                heads.clear()
                if not growing:
                    return Stop(EXHAUSTED)
                done, _ = await asyncio.wait(growing, timeout=_TICK, return_when=asyncio.FIRST_COMPLETED)
                for task in sorted(done, key=lambda t: growing[t].id):
                    node = task.result()
                    head = growing.pop(task)
                    added = tree.add(head, node.steps, node.world, node.verdicts, node.cost)
                    tell(Added(tree[added], head.id))
            return stop
        finally:
            for task in growing:
                task.cancel()
            await asyncio.gather(*growing, return_exceptions=True)
            for head in [*heads, *growing.values()]:
                tree.drop(head)
            for head in growing.values():
                tell(Dropped(head.id, "stopped", tell.branches[head.id].spent))

    async def _result(self, task: Task, found: "_Found", ledger: Ledger) -> Result:
        report = await self._grade(task, found, task.visible)
        if task.is_question:
            hidden = await self._compare(found.said, task.answer)
        else:
            hidden = await self._grade(task, found, task.hidden)
        decisive = hidden or report
        status: Status = "suspended" if ledger.exhausted else "unsolved"
        if decisive and decisive.solved:
            status = "solved"
        elif found.said and not decisive:
            status = "answered"
        return Result(
            task.id,
            status,
            found.stop,
            found.answer,
            found.files or {},
            report,
            asdict(ledger.spent),
            self.sandbox.level,
            self.core.info.name,
            hidden=hidden,
            answer=found.said,
        )

    async def _compare(self, said: str, reference: str | None) -> Report | None:
        maths = next((v.maths for v in self.verifiers if isinstance(v, Answers)), None)
        return await graded(said, reference, maths)

    async def _grade(self, task: Task, found: "_Found", suite: Suite | None) -> Report | None:
        """What a fresh world says of the answer, or said when it was judged; None where there is no answer."""
        if suite is None or found.files is None:
            return None
        return await found.sandbox.grade({**task.files, **found.files}, suite, self.limits)

    def _moves(self, task: Task, world: World, tools: Toolbox, tell: Listener) -> Moves:
        return moves(task, self.core, world, tools, self.limits, self.sandbox.level, tell, self.speech)

    def _strategy(self, task: Task) -> Strategy:
        """The one for this kind of task, which goes on with what a core that owns the protocol has begun."""
        strategy = self.strategy[task.kind] if isinstance(self.strategy, Mapping) else self.strategy
        return Following(strategy, self.speech.failed == "end") if speaks(self.core) else strategy

    def _tools(self, task: Task) -> Toolbox:
        offered = self.toolbox.offered(task)
        if task.visible is None:
            return offered
        return offered.bind("run_tests", suite_arguments(task.visible, wall_s=self.limits.wall_s))

    def _began(self, task: Task) -> Began:
        core = self.core.info
        return Began(
            _shown(task),
            core.name,
            core.digest,
            self.sandbox.level,
            self.seed,
            dict(self.config),
            budget=self.budget,
            graded=task.hidden is not None or task.answer is not None,
        )


def _shown(task: Task) -> Task:
    """A task without what only grades."""
    return replace(task, hidden=None, answer=None)


@dataclass(frozen=True)
class _Found:
    """What a search came to, before it is graded."""

    stop: Stop
    answer: NodeId | None
    files: Files | None
    """What is changed; None where there is no answer."""
    said: str
    sandbox: Sandbox


class _Pulse:
    """Passes every event to all listeners, and while a core writes, now and then what each head in flight has cost."""

    def __init__(self, listeners: Sequence[Listener], clock: Callable[[], float]) -> None:
        self.branches: dict[int, Ledger] = {}
        """Heads in flight -> their own ledgers."""
        self._listeners = listeners
        self._clock = clock
        self._last = clock()

    def open(self, head: Head, ledger: Ledger) -> None:
        self.branches[head.id] = ledger
        self(Opened(head))

    def __call__(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)
        if isinstance(event, Added) and event.head is not None:
            del self.branches[event.head]
        if isinstance(event, Wrote) and self._clock() - self._last >= _PULSE_S:
            self._last = self._clock()
            for head, branch in self.branches.items():
                self(Grew(head, branch.spent))
