"""The moves of a core that owns the protocol: it says what each step is, and the runtime does what it says.

A node ends where something came of what the core said: with an observation, an answer, or a backtrack. So wherever an
observation stands there is a node, and going back to it takes tokens and world along together. A node that ends with a
backtrack is a dead leaf; what follows it hangs from its target and begins with its lesson. Which nodes are followed is
a strategy's business (`search.following`).
"""

from dataclasses import dataclass, field, replace
from itertools import takewhile
from typing import cast

from reasoner.completions import Completion
from reasoner.config import SpeechConfig
from reasoner.dialect.spoken import PROSE, Opened, Spoken, numbered, read_backtrack, write_backtrack
from reasoner.dialect.tokenizer import Tokenizer
from reasoner.ledger import Ledger
from reasoner.loop.calling import CONCLUSION, Calling, enough
from reasoner.loop.failures import lesson, lesson_of
from reasoner.loop.forcing import WAIT, failed, gives_up, waits
from reasoner.loop.known import Known
from reasoner.loop.testing import Testing
from reasoner.loop.writing import REMARK, Growth, Writer
from reasoner.protocols import World
from reasoner.suites import report
from reasoner.toolbox import Toolbox
from reasoner.trace import Entered
from reasoner.tree import Node, Tree
from reasoner.types import (
    Files,
    Kept,
    Limits,
    NodeId,
    Report,
    SnapshotId,
    Span,
    Step,
    StepKind,
    Task,
    ToolCall,
    ToolResult,
)

_PATIENCE = 3
"""Malformed steps of one turn after which nobody listens any more."""


def spoken(tokenizer: Tokenizer, toolbox: Toolbox) -> Spoken:
    """The dialect of a core that owns the protocol, with the tools that are called by name."""
    return Spoken(tokenizer, toolbox.called())


@dataclass(frozen=True)
class Speaking:
    task: Task
    world: World
    toolbox: Toolbox
    writer: Writer
    limits: Limits
    level: str
    speech: SpeechConfig = SpeechConfig()
    dialect: Spoken = field(init=False)
    testing: Testing = field(init=False)
    calling: Calling = field(init=False)

    def __post_init__(self) -> None:
        known = Known(self.task, self.written)
        testing = Testing(self.task, self.world, self.toolbox, self.limits, self.level, known)
        object.__setattr__(self, "testing", testing)
        object.__setattr__(self, "calling", Calling(self.world, self.toolbox, self.writer))
        object.__setattr__(self, "dialect", spoken(self.writer.core.tokenizer, self.toolbox))

    def root(self) -> Step:
        return self.dialect.root(self.task)

    async def before(self, at: SnapshotId, ledger: Ledger) -> Report | None:
        return None if self.task.is_question else await self.testing.before(at, ledger)

    async def make(self, tree: Tree, growth: Growth) -> None:
        line = _Line(self, tree, growth)
        match growth.head.expand.move:
            case "reflect" | "criticise" as kind:
                await line.remark(kind)
            case "follow" if self.speech.failed == "learn" and line.has_failed():
                await line.learn()
            case _:
                await line.say(line.opening())
        if not growth.steps:
            growth.take(Step("think", ""))

    async def redo(self, step: Step, at: SnapshotId) -> tuple[ToolResult | None, SnapshotId]:
        if step.kind == "act" and not self.task.is_question:
            files = self.written(step.text)
            return None, await self.world.put(at, files) if files else at
        return await self.toolbox.call(self.world, at, step.call, self.limits) if step.call else (None, at)

    def written(self, text: str) -> Files:
        return self.dialect.solution(self.task, text).files


class _Line:
    """What one head says."""

    def __init__(self, moves: Speaking, tree: Tree, growth: Growth) -> None:
        self._moves, self._tree, self._growth = moves, tree, growth
        self._dialect, self._task = moves.dialect, moves.task
        self._path = list(tree.path(growth.head.expand.node))
        self._before = [step for node in self._path for step in node.steps]
        self._left = growth.head.expand.sampling.max_tokens
        self._asked = 0

    @property
    def _steps(self) -> list[Step]:
        return [*self._before, *self._growth.steps]

    # --- where it begins ---

    def has_failed(self) -> bool:
        """Whether nothing came yet after tests that failed."""
        return self._growth.head.expand.learnt is None and failed(self._before)

    def opening(self) -> Opened:
        """What is forced before the core says anything, and which step is open then."""
        expand, last = self._growth.head.expand, self._before[-1].kind
        if expand.learnt is not None and (words := lesson_of(self._tree[expand.learnt])):
            self._growth.take(self._dialect.lesson(words))
            return Opened("reflect")
        if expand.kept:
            return self._kept(expand.kept)
        if last in PROSE or last == "criticise":
            return Opened("think" if last == "think" else "reflect")
        if expand.lead and not self._task.is_question and len(self._path) == 1:
            return self._dialect.open("act", self._dialect.driven.lead(self._task))
        return self._seamless(self._forced())

    def _seamless(self, opened: Opened) -> Opened:
        """After an answer, the assistant's turn is opened first."""
        seam = (self._dialect.turns.answering(),) if self._before[-1].kind == "answer" else ()
        return replace(opened, spans=(*seam, *opened.spans))

    def _forced(self) -> Opened:
        speech = self._moves.speech
        best = gives_up([value_of(node) for node in self._path], speech.collapse)
        if best is not None:
            return self._dialect.open("backtrack", f"{numbered(self._until(best))} ")
        if self._growth.head.expand.move == "revise":
            return self._dialect.open("reflect")
        match speech.failed if failed(self._before) else "":
            case "reflect" | "backtrack" | "act" as kind:
                return self._dialect.open(kind)
        return Opened()

    def _until(self, index: int) -> list[Step]:
        return [step for node in self._path[: index + 1] for step in node.steps]

    def _kept(self, kept: Kept) -> Opened:
        """Take over how another attempt began, and go on from the token after."""
        source = self._tree[kept.node]
        before = list(takewhile(lambda step: step.kind != "act", source.steps))
        for step in before:
            self._growth.take(step)
        opening, taken, begun = self._dialect.driven.kept(source.steps[len(before)], kept.tokens)
        return Opened("act", (opening, taken), begun)

    # --- what is said ---

    async def say(self, opened: Opened) -> None:
        """Step after step, up to one of which something comes."""
        while True:
            if self._left < 1:
                return await self._conclude()
            completion = await self._listen(opened)
            if not completion.ids and opened.kind is None:
                return
            heard = self._dialect.hear(opened, completion, self._dialect.act_ends(self._task))
            if heard.step and heard.step.ids:
                self._growth.take(heard.step)
            if heard.problem:
                return await self._refuse(f"This could not be read: {heard.problem}.")
            if heard.next is None:
                return await self._do(completion)
            put_off = waits(self._steps, heard.next.kind, self._moves.speech.least_thought)
            opened = self._dialect.open("think", WAIT) if put_off else heard.next

    async def learn(self) -> None:
        """Step back in the core's place, with what the tests said as the lesson: no token of it is computed here."""
        last = self._before[-1]
        words = write_backtrack(numbered(self._before) - 1, lesson(self._task, last))
        step = self._dialect.said("backtrack", self._dialect.tokenizer.encode(words), sampled=False)
        self._growth.take(step)
        await self._back(step)

    async def remark(self, kind: StepKind) -> None:
        """What the core thinks of what it did; the step that it would do next is left alone. Of tests that failed it
        says what kind of failure it is; what helps is what they said, so the runtime says that in its place."""
        if kind == "reflect" and failed(self._before):
            return self._growth.take(self._dialect.lesson(lesson(self._task, self._before[-1])))
        self._left = REMARK
        opened = self._seamless(self._dialect.open("reflect"))
        completion = await self._listen(opened)
        heard = self._dialect.hear(opened, completion)
        if heard.step:
            self._growth.take(heard.step if heard.problem else replace(heard.step, kind=kind))

    async def _listen(self, opened: Opened) -> Completion:
        """Let the core write up to the next control token. Each time it draws from a stream of its own."""
        head, grammar, kind = self._growth.head, self._moves.speech.grammar, opened.kind
        wanted = head.expand.sampling
        sampling = replace(
            wanted,
            max_tokens=self._left,
            seed=head.seed + self._asked,
            stop=wanted.stop if kind in PROSE else self._dialect.act_ends(self._task) if kind == "act" else (),
            stop_ids=self._dialect.stops,
            without=self._first_left_out(opened),
            only=self._dialect.allowed(opened) if grammar and kind is None else (),
            never=self._dialect.banned(opened) if grammar else (),
        )
        self._asked += 1
        if kind:
            self._moves.writer.tell(Entered(head.id, cast(StepKind, kind)))
        completion = await self._moves.writer.sample(self._growth, opened.spans, sampling)
        self._left -= len(completion.ids)
        return completion

    def _first_left_out(self, opened: Opened) -> tuple[int, ...]:
        """What the core may not begin with: where it rewinds, the token that it took there before; in a step that
        is to be run or read, its end."""
        wanted = self._growth.head.expand.sampling.without if not self._asked else ()
        empty = opened.kind == "act" or (opened.kind == "answer" and self._task.is_question)
        ends = empty and self._moves.speech.grammar and not opened.text
        return (*wanted, self._dialect.controls.end) if ends else wanted

    # --- what comes of it ---

    async def _do(self, completion: Completion) -> None:
        """Of the step that was said last."""
        step = self._growth.steps[-1]
        match step.kind:
            case "act" if self._task.is_question:
                await self._call(self._dialect.call(step.text))
            case "act":
                await self._try(step)
            case "backtrack":
                await self._back(step)
            case "answer":
                self._growth.extend(self._dialect.closing())
            case _ if completion.finish == "length":
                await self._conclude()

    async def _call(self, call: ToolCall) -> None:
        """Run a question's call at the head's world."""
        if enough(call, self._steps):
            return await self._conclude()
        result = await self._moves.calling.run(self._growth, call)
        self._observe(self._dialect.called(result), call, result)
        if self._left < 1:
            await self._conclude()

    async def _try(self, step: Step) -> None:
        """Put a solution into the world, and say what the visible tests say; when they all pass it is the answer."""
        moves, growth = self._moves, self._growth
        solution = self._dialect.solution(self._task, step.text)
        if solution.problems:
            return await self._refuse(f"This could not be used: {'; '.join(solution.problems)}.")
        if any(step.kind == "act" and moves.written(step.text) == solution.files for step in self._steps[:-1]):
            return await self._refuse("You wrote this before, and the tests said what is wrong with it.")
        growth.world = await moves.world.put(growth.world, solution.files)
        if self._task.visible is None:
            return self._answered()
        moves.writer.tell(Entered(growth.head.id, "observe"))
        call, result = await moves.testing.say(self._tree, growth, solution.files)
        said = report(result, moves.level)
        self._observe(self._dialect.tests(said), call, result)
        if said.solved:
            self._answered()

    async def _back(self, step: Step) -> None:
        """Whether the core can go back to where it says; if not, it is told why not. One that goes back for a reason
        that did not help before is in a loop: its attempt is over, since what failed would stay in its view."""
        node = self._growth.head.expand.node
        number, words = read_backtrack(step.text) or (0, "")
        target = self._tree.observed(node, number)
        if target is None:
            problem = f"There is no step {number} to go back to."
        elif target == node:
            problem = f"Step {number} is the last one: there is nothing to take back."
        elif (target, _gist(words)) in turned_back(self._tree, node):
            problem = ""
        else:
            return
        await self._refuse(problem)

    async def _refuse(self, words: str) -> None:
        """Tell the core what is wrong with its step, unless it will not learn or there are no words for it."""
        self._growth.steps[-1] = replace(self._growth.steps[-1], kind="malformed")
        if not words or sum(step.kind == "malformed" for step in self._steps) >= _PATIENCE or self._left < 1:
            return await self._conclude()
        self._observe(words)

    async def _conclude(self) -> None:
        """Make the core answer a question now (budget forcing; Muennighoff et al., 2501.19393, section 3.1). Code that
        was not written by now is not written."""
        if not self._task.is_question:
            return
        opened, self._left = self._dialect.open("answer"), CONCLUSION
        said = await self._listen(opened)
        ended = said.ids[-1:] == (self._dialect.controls.end,)
        body = Span(said.ids, sampled=True, logprobs=said.logprobs)
        self._growth.take(Step("answer", said.text, (*opened.spans, body, self._dialect.closing(ended))))

    def _answered(self) -> None:
        """The files are the answer; it needs no words."""
        opened = self._dialect.open("answer")
        self._growth.take(Step("answer", "", (*opened.spans, self._dialect.closing(ended=False))))

    def _observe(self, words: str, call: ToolCall | None = None, result: ToolResult | None = None) -> None:
        step = self._dialect.observe(numbered(self._steps) + 1, words)
        self._growth.take(replace(step, call=call, result=result))


def turned_back(tree: Tree, node: NodeId) -> set[tuple[NodeId, str]]:
    """Where the attempt that `node` belongs to went back to so far, and with which lessons."""
    found: set[tuple[NodeId, str]] = set()
    todo = [node]
    while todo:
        for one in tree.path(todo.pop()):
            if one.learnt is not None and one.parent is not None:
                found.add((one.parent, _gist(lesson_of(tree[one.learnt]))))
                todo.append(one.learnt)
    return found


def value_of(node: Node) -> float | None:
    """What a node's branch is worth by its visible tests, or by a step head."""
    scores = [v.score for v in node.verdicts if v.source == "visible" or v.source.startswith("step:")]
    return scores[-1] if scores else None


def _gist(words: str) -> str:
    return " ".join(words.casefold().split())
